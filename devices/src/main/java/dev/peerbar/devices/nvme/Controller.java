package dev.peerbar.devices.nvme;

import dev.peerbar.devices.nvme.admin.AdminCommands;
import dev.peerbar.devices.nvme.admin.AdminSettings;
import dev.peerbar.devices.nvme.admin.ErrorLog;
import dev.peerbar.devices.nvme.admin.Identify;
import dev.peerbar.devices.nvme.admin.Identity;
import dev.peerbar.devices.nvme.admin.SmartLog;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.io.IoCommands;
import dev.peerbar.devices.nvme.io.IoCounters;
import dev.peerbar.devices.nvme.queue.ArbitrationFeature;
import dev.peerbar.devices.nvme.queue.ControllerMemory;
import dev.peerbar.devices.nvme.queue.Events;
import dev.peerbar.devices.nvme.queue.QueueEngines;
import dev.peerbar.devices.nvme.queue.QueueSet;
import dev.peerbar.devices.nvme.queue.QueueSettings;
import dev.peerbar.devices.nvme.queue.RingResult;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The controller's registers (NVMe 1.4 3.1) and its generations. A generation goes from CC.EN set
 * to the end of that, by whatever reset, or to a fatal error; it is a {@link QueueSet} with its
 * {@link AdminCommands}. For the function's thread.
 */
final class Controller {
  private static final Logger log = LoggerFactory.getLogger(Controller.class);

  /** The largest I/O queue. */
  private static final int MOST_ENTRIES = 4096;

  /** CAP.TO, in units of 500 ms: storage may have to finish what a reset left it with. */
  private static final long TIMEOUT = 120;

  private static final int DOORBELLS_PER_QUEUE = 2;
  private static final int DOORBELL_VALUE_MASK = 0xffff;

  private final NvmeConfig config;
  private final Storage storage;
  private final PciFunction function;
  private final Host host;
  private final Identity identity;
  private final Identify identify;
  private final ErrorLog errors = new ErrorLog();
  private final SmartLog smart;
  private final IoCommands io;
  private final MemoryBuffer memoryBuffer;
  private final QueueEngines engines;
  private final Engine shutdownEngine;

  private int interruptMask;
  private Configuration configuration = Configuration.RESET;
  private boolean ready;
  private boolean fatal;
  private int shutdownStatus;
  private int adminQueueSizes;
  private long adminSubmissionQueue;
  private long adminCompletionQueue;

  /** Of the generation; null in between. */
  private QueueSet queues;

  /** Of the generation; null in between. */
  private AdminCommands admin;

  private Engine.Ticket shutdown = Engine.Ticket.NONE;
  private boolean pinAsserted;

  Controller(
      NvmeConfig config, Storage storage, PciFunction function, Host host, Identity identity) {
    this.config = config;
    this.storage = storage;
    this.function = function;
    this.host = host;
    this.identity = identity;
    identify = new Identify(config, storage, identity);
    IoCounters counters = new IoCounters();
    smart = new SmartLog(counters, errors, System::nanoTime);
    io = new IoCommands(storage, config.lbaSize(), counters);
    ControllerMemory memory =
        new ControllerMemory(
            config.cmbSize() == 0 ? MemorySegment.NULL : host.memory(NvmeRegisters.CMB_BAR));
    memoryBuffer = new MemoryBuffer(config.cmbSize(), memory);
    engines = new QueueEngines(host, memory);
    shutdownEngine = host.engine("shutdown");
  }

  void declare(RegisterMap registers) {
    registers
        .readOnly(NvmeRegisters.CAP, "CAP", 8, this::capabilities)
        .readOnly(NvmeRegisters.VS, "VS", 4, () -> NvmeRegisters.VS_1_4)
        .readWrite(
            NvmeRegisters.INTMS, "INTMS", 4, this::interruptMask, bits -> mask((int) bits, 0))
        .readWrite(
            NvmeRegisters.INTMC, "INTMC", 4, this::interruptMask, bits -> mask(0, (int) bits))
        .readWrite(
            NvmeRegisters.CC,
            "CC",
            4,
            () -> Integer.toUnsignedLong(configuration.value()),
            value -> configure((int) value))
        // Its one writable bit, NSSRO, belongs to a reset that is not offered.
        .readWrite(NvmeRegisters.CSTS, "CSTS", 4, this::status, _ -> {})
        .readWrite(NvmeRegisters.NSSR, "NSSR", 4, () -> 0, _ -> {})
        .readWrite(
            NvmeRegisters.AQA,
            "AQA",
            4,
            () -> Integer.toUnsignedLong(adminQueueSizes),
            this::writeAdminQueueSizes)
        .readWrite(
            NvmeRegisters.ASQ,
            "ASQ",
            8,
            () -> adminSubmissionQueue,
            value -> adminSubmissionQueue = value & NvmeRegisters.QUEUE_BASE_MASK)
        .readWrite(
            NvmeRegisters.ACQ,
            "ACQ",
            8,
            () -> adminCompletionQueue,
            value -> adminCompletionQueue = value & NvmeRegisters.QUEUE_BASE_MASK);
    memoryBuffer.declare(registers);
  }

  private long capabilities() {
    return MOST_ENTRIES - 1
        | NvmeRegisters.CAP_CQR
        | NvmeRegisters.CAP_AMS_WEIGHTED
        | TIMEOUT << NvmeRegisters.CAP_TO_SHIFT
        | NvmeRegisters.CAP_CSS_NVM
        | Configuration.MOST_MPS << NvmeRegisters.CAP_MPSMAX_SHIFT
        | (config.cmbSize() == 0 ? 0 : NvmeRegisters.CAP_CMBS);
  }

  private long status() {
    return (ready ? NvmeRegisters.CSTS_RDY : 0)
        | (fatal ? NvmeRegisters.CSTS_CFS : 0)
        | shutdownStatus << NvmeRegisters.CSTS_SHST_SHIFT;
  }

  private void writeAdminQueueSizes(long value) {
    adminQueueSizes =
        (int) value
            & (NvmeRegisters.AQA_ASQS_MASK
                | NvmeRegisters.AQA_ACQS_MASK << NvmeRegisters.AQA_ACQS_SHIFT);
  }

  // Interrupts.

  private long interruptMask() {
    return Integer.toUnsignedLong(interruptMask);
  }

  /** INTMS and INTMC; with MSI-X a host is not to use them (3.1.3), and the table masks. */
  private void mask(int set, int clear) {
    if (!function.msixEnabled()) {
      interruptMask = (interruptMask | set) & ~clear;
      updatePin();
    }
  }

  private void updatePin() {
    boolean assertPin = queues != null && (queues.pendingVectors() & ~interruptMask) != 0;
    if (assertPin != pinAsserted) {
      pinAsserted = assertPin;
      host.interrupts().pin(assertPin);
    }
  }

  // Lives.

  private void configure(int value) {
    Configuration before = configuration;
    configuration = before.write(value);
    if (before.enabled() && !configuration.enabled()) {
      controllerReset();
    } else if (!before.enabled() && configuration.enabled()) {
      enable();
    }
    if (configuration.shutdownNotified() && shutdownStatus == NvmeRegisters.CSTS_SHST_NORMAL) {
      shutDown();
    }
  }

  private void enable() {
    log.debug("Enabled, CC 0x{}", Integer.toHexString(configuration.value()));
    // One that came while the controller was disabled is of no meaning to this generation.
    shutdown.end();
    shutdownStatus = NvmeRegisters.CSTS_SHST_NORMAL;
    // A mapped doorbell that rang meanwhile was ignored, and would hide a ring of the same value.
    clearDoorbells();
    Optional<String> mistake = configuration.mistake().or(this::adminQueueMistake);
    if (mistake.isPresent()) {
      fail(mistake.get());
      return;
    }
    int vectors = config.queues() + 1;
    admin =
        new AdminCommands(
            new AdminSettings(
                configuration.pageSize(),
                config.queues(),
                vectors,
                config.shadowDoorbells(),
                function::msixEnabled,
                () -> configuration.entrySizesSet(),
                System::nanoTime),
            identity,
            identify,
            errors,
            smart,
            io,
            () -> queues);
    queues =
        QueueSet.start(
            new QueueSettings(
                configuration.pageSize(),
                MOST_ENTRIES,
                config.queues(),
                vectors,
                configuration.weighted(),
                ArbitrationFeature.DEFAULT,
                adminSubmissionQueue,
                submissionEntries(),
                adminCompletionQueue,
                completionEntries(),
                () -> !function.msixEnabled(),
                admin::uncoalesced),
            engines,
            admin,
            io,
            new GenerationEvents(),
            () -> ready = true);
  }

  private int submissionEntries() {
    return (adminQueueSizes & NvmeRegisters.AQA_ASQS_MASK) + 1;
  }

  private int completionEntries() {
    return (adminQueueSizes >>> NvmeRegisters.AQA_ACQS_SHIFT & NvmeRegisters.AQA_ACQS_MASK) + 1;
  }

  private Optional<String> adminQueueMistake() {
    if (submissionEntries() < 2 || completionEntries() < 2) {
      return Optional.of("an admin queue has fewer than 2 entries");
    }
    long offsetMask = configuration.pageSize() - 1L;
    if (((adminSubmissionQueue | adminCompletionQueue) & offsetMask) != 0) {
      return Optional.of("an admin queue is not page-aligned");
    }
    return Optional.empty();
  }

  /** CC.EN cleared (7.3.1, 7.3.2): AQA, ASQ, ACQ and CMBMSC stay, and CC is what was written. */
  private void controllerReset() {
    log.debug("Controller Reset");
    endLife();
    clearDoorbells();
  }

  private void clearDoorbells() {
    for (int doorbell = 0; doorbell < doorbells(config); doorbell++) {
      host.clearDoorbell(NvmeRegisters.BAR, NvmeRegisters.doorbell(doorbell));
    }
  }

  /**
   * Any other reset. The host has ended all jobs and cleared doorbells and pin.
   *
   * <p>A reset of the function alone leaves CMBMSC as it is: Linux writes it when it binds and not
   * again after a function-level reset or a resume, where it goes on to place queues in the CMB.
   */
  void reset(ResetKind kind) {
    if (kind == ResetKind.BUS_OR_DEVICE) {
      if (configuration.enabled() && shutdownStatus != NvmeRegisters.CSTS_SHST_COMPLETE) {
        smart.unsafeShutdown();
      }
      memoryBuffer.reset();
    }
    pinAsserted = false;
    endLife();
    configuration = Configuration.RESET;
    adminQueueSizes = 0;
    adminSubmissionQueue = 0;
    adminCompletionQueue = 0;
  }

  private void endLife() {
    endQueues();
    shutdown.end();
    ready = false;
    fatal = false;
    shutdownStatus = NvmeRegisters.CSTS_SHST_NORMAL;
    interruptMask = 0;
  }

  private void endQueues() {
    if (queues != null) {
      queues.end();
      queues = null;
      admin = null;
      updatePin();
    }
  }

  /** Controller Fatal Status: nothing more is done until a reset (3.1.6). */
  private void fail(String why) {
    // No more than news: a driver that takes bus mastering away before it resets causes it too.
    log.info("Controller fatal status: {}", why);
    fatal = true;
    endQueues();
  }

  /** CC.SHN (7.6.2): what was written is put on stable storage. */
  private void shutDown() {
    log.debug("Shutdown");
    shutdownStatus = NvmeRegisters.CSTS_SHST_OCCURRING;
    shutdown = shutdownEngine.submit(this::flush, this::flushFailed);
  }

  private void flush(Job job) throws JobEndedException {
    try {
      storage.flush();
    } catch (StorageException e) {
      // The host waits for the end, and no status would tell it more than Flush has.
      log.error("What was written last may be lost: {}", e.getMessage());
    }
    job.update(() -> shutdownStatus = NvmeRegisters.CSTS_SHST_COMPLETE);
  }

  private void flushFailed(Throwable cause) {
    fail("what was written last may be lost: " + cause);
    shutdownStatus = NvmeRegisters.CSTS_SHST_COMPLETE;
  }

  // Doorbells.

  static int doorbells(NvmeConfig config) {
    return DOORBELLS_PER_QUEUE * (config.queues() + 1);
  }

  /** A doorbell register was written; one of a controller that is not enabled is ignored. */
  void doorbell(long offset, long value) {
    if (queues == null) {
      return;
    }
    int index = (int) ((offset - NvmeRegisters.DOORBELLS) / NvmeRegisters.DOORBELL_STRIDE);
    int queue = index / DOORBELLS_PER_QUEUE;
    int bits = (int) value & DOORBELL_VALUE_MASK;
    RingResult result =
        index % DOORBELLS_PER_QUEUE == 0
            ? queues.ringTail(queue, bits)
            : queues.ringHead(queue, bits);
    if (result != RingResult.OK) {
      admin.doorbellFailed(result);
    }
  }

  /** What the queues of a generation tell; nothing once it has ended. */
  private final class GenerationEvents implements Events {
    @Override
    public void fatal(String why) {
      fail(why);
    }

    @Override
    public void failed(int sqid, int commandId, Status status, int parameter, long lba, int nsid) {
      errors.add(sqid, commandId, status, parameter, lba, nsid);
    }

    @Override
    public void interruptStateChanged() {
      updatePin();
    }

    @Override
    public void invalidDoorbell() {
      admin.doorbellFailed(RingResult.INVALID_VALUE);
    }

    @Override
    public void storageFailed(StorageException.Kind kind) {
      admin.storageFailed(kind);
    }
  }
}
