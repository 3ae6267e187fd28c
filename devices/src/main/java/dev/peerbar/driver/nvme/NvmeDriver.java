package dev.peerbar.driver.nvme;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaArea;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.FunctionDriver;
import dev.peerbar.driver.Interrupt;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Drives an NVMe controller with pages of 4 KiB: its registers, its interrupts, its admin queue,
 * its I/O queues. For one thread at a time.
 *
 * <p>Each {@link #enable} begins afresh: queues and memory of before are nobody's any more.
 */
public final class NvmeDriver extends FunctionDriver {
  /** How long a command may take, or a controller to become ready, on a busy machine. */
  public static final Duration LIMIT = Duration.ofSeconds(60);

  public static final int PAGE = 4096;
  public static final int ADMIN_ENTRIES = 32;

  /** What {@link #enable} writes to CC. */
  public static final int ENABLE =
      NvmeRegisters.CC_EN
          | NvmeRegisters.IOSQES << NvmeRegisters.CC_IOSQES_SHIFT
          | NvmeRegisters.IOCQES << NvmeRegisters.CC_IOCQES_SHIFT;

  /** Added to it, for weighted round robin arbitration with an urgent class. */
  public static final int ENABLE_WEIGHTED = ENABLE | 1 << NvmeRegisters.CC_AMS_SHIFT;

  /** Vector 0 is the admin queue's, vector n that of completion queue n. */
  private static final int MOST_VECTORS = 9;

  private static final long OWN_MEMORY = 64L * PAGE;

  private final DmaArea memory;
  private Doorbells doorbells;
  private NvmeQueue admin;
  private DmaRange answer;

  /**
   * Does nothing to the function.
   *
   * @param memory the driver's own: for queues, for what the controller tells, and for what {@link
   *     #allocate} gives; three pages at least
   * @param vectors 0 for the admin queue, n for completion queue n; without any, waiting is looking
   */
  public NvmeDriver(Device device, DmaRange memory, List<Interrupt> vectors) throws IOException {
    super(device, NvmeRegisters.BAR, vectors);
    this.memory = new DmaArea(memory);
    doorbells = new Doorbells.Registers(registers());
  }

  /** Takes over a function, {@link #setUp} included, with some memory. Enables nothing. */
  public static NvmeDriver of(Device device) throws IOException {
    return of(device, device.allocate(OWN_MEMORY));
  }

  /** The same with memory of the caller's. */
  public static NvmeDriver of(Device device, DmaRange memory) throws IOException {
    NvmeDriver driver = new NvmeDriver(device, memory, List.of());
    driver.setUp();
    return driver;
  }

  @Override
  protected int wantedVectors() throws IOException {
    return Math.min(MOST_VECTORS, config().msixVectors());
  }

  /** CSTS. */
  public int status() throws IOException {
    return read(NvmeRegisters.CSTS);
  }

  // From disabled to enabled and back.

  /** Enables the controller, disabled before, and waits until it is ready (NVMe 1.4 7.6.1). */
  public NvmeDriver enable() throws IOException {
    begin(ENABLE);
    awaitReady(true);
    return this;
  }

  /** The same with weighted round robin arbitration. */
  public NvmeDriver enableWeighted() throws IOException {
    begin(ENABLE_WEIGHTED);
    awaitReady(true);
    return this;
  }

  /**
   * Begins to enable: the controller disabled, an empty admin queue, CC written. Ended by {@link
   * #awaitReady}.
   *
   * @param configuration for CC, such as {@link #ENABLE}
   */
  public void begin(int configuration) throws IOException {
    disable();
    memory.release(0);
    doorbells = new Doorbells.Registers(registers());
    DmaRange submissions = memory.take((long) ADMIN_ENTRIES * SubmissionEntry.BYTES);
    DmaRange completions = memory.take((long) ADMIN_ENTRIES * CompletionEntry.BYTES);
    answer = memory.take(PAGE);
    submissions.clear();
    admin = new NvmeQueue(this, 0, submissions, completions, doorbells, vector(0));
    write(NvmeRegisters.AQA, ADMIN_ENTRIES - 1 | ADMIN_ENTRIES - 1 << NvmeRegisters.AQA_ACQS_SHIFT);
    writeLong(NvmeRegisters.ASQ, submissions.iova());
    writeLong(NvmeRegisters.ACQ, completions.iova());
    write(NvmeRegisters.CC, configuration);
  }

  /**
   * Disables the controller (a Controller Reset, NVMe 1.4 7.3.2), and waits until that is done. The
   * admin queue's registers stay as they are.
   */
  public void disable() throws IOException {
    write(NvmeRegisters.CC, 0);
    awaitReady(false);
  }

  /**
   * Waits until CSTS.RDY is what is wanted.
   *
   * @throws IOException if the controller fails, or takes too long
   */
  public void awaitReady(boolean wanted) throws IOException {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      int status = status();
      boolean failed = wanted && (status & NvmeRegisters.CSTS_CFS) != 0;
      if (!failed && ((status & NvmeRegisters.CSTS_RDY) != 0) == wanted) {
        return;
      }
      if (failed || System.nanoTime() - end >= 0) {
        throw new IOException("CSTS is 0x%x, not %sready".formatted(status, wanted ? "" : "un"));
      }
      device().relax();
    }
  }

  // Memory.

  /** Whole pages of the driver's memory that nobody else has, until the next {@link #enable}. */
  public DmaRange allocate(long length) {
    return memory.take(length);
  }

  /** The driver's memory, of which {@link #allocate} gives. */
  public DmaArea memory() {
    return memory;
  }

  /** Room for a command's data and for the list of its pages, until the next {@link #enable}. */
  public NvmeBuffer buffer(long length) {
    return NvmeBuffer.in(memory, length);
  }

  // The Controller Memory Buffer.

  /**
   * Where the Controller Memory Buffer is, and what may lie in it.
   *
   * @param bar whose memory it is
   * @param offset in the BAR, in bytes
   * @param length in bytes
   * @param supports CMBSZ, of which the lowest five bits say what for
   */
  public record ControllerMemory(int bar, long offset, long length, int supports) {
    /** Whether all of these {@code CMBSZ_} bits are set. */
    public boolean supports(int bits) {
      return (supports & bits) == bits;
    }
  }

  /** Makes the buffer's registers tell what there is (CMBMSC.CRE, NVMe 1.4 3.1.16), and asks. */
  public ControllerMemory findControllerMemory() throws IOException {
    if ((readLong(NvmeRegisters.CAP) & NvmeRegisters.CAP_CMBS) == 0) {
      throw new IOException("the controller has no memory buffer");
    }
    writeLong(NvmeRegisters.CMBMSC, NvmeRegisters.CMBMSC_CRE);
    int location = read(NvmeRegisters.CMBLOC);
    int size = read(NvmeRegisters.CMBSZ);
    long unit =
        (long) PAGE << 4 * (size >>> NvmeRegisters.CMBSZ_SZU_SHIFT & NvmeRegisters.CMBSZ_SZU_MASK);
    return new ControllerMemory(
        location & NvmeRegisters.CMBLOC_BIR_MASK,
        (location >>> NvmeRegisters.CMBSZ_SZ_SHIFT) * unit,
        (size >>> NvmeRegisters.CMBSZ_SZ_SHIFT) * unit,
        size);
  }

  /**
   * Says where the controller is to find its own buffer among the addresses that it is given.
   *
   * @param address a multiple of the page size
   */
  public void placeControllerMemory(long address) throws IOException {
    writeLong(NvmeRegisters.CMBMSC, address | NvmeRegisters.CMBMSC_CMSE | NvmeRegisters.CMBMSC_CRE);
    if ((read(NvmeRegisters.CMBSTS) & NvmeRegisters.CMBSTS_CBAI) != 0) {
      throw new IOException("CBA 0x%x is not to the controller's liking".formatted(address));
    }
  }

  /** Finds the buffer and places it: all of it, as the processor and the controller reach it. */
  public DmaRange controllerMemory(long address) throws IOException {
    ControllerMemory found = findControllerMemory();
    placeControllerMemory(address);
    return new DmaRange(device().bar(found.bar()), found.offset(), address, found.length());
  }

  // Admin commands.

  public NvmeQueue admin() {
    return admin;
  }

  /** Runs an admin command; how it ended. */
  public CompletionEntry admin(SubmissionEntry.Builder command) throws IOException {
    return admin.execute(command);
  }

  private CompletionEntry require(String what, SubmissionEntry.Builder command) throws IOException {
    CompletionEntry completion = admin(command);
    if (completion.status() != Status.SUCCESS) {
      throw new NvmeStatusException(what, completion);
    }
    return completion;
  }

  /** Asks for pairs of I/O queues, from 1; how many the controller grants. */
  public int requestQueues(int pairs) throws IOException {
    return (require("Number of Queues", NvmeCommands.numberOfQueues(pairs)).dword0() & 0xffff) + 1;
  }

  /**
   * From Identify Controller (NVMe 1.4 figure 247).
   *
   * @param mdts log2 of the most data of a command, in pages; 0 for no limit
   */
  public record Identity(String serialNumber, String model, int mdts, int namespaces) {}

  /** Asks the controller who it is. */
  public Identity identify() throws IOException {
    ByteBuffer data = identify(NvmeCommands.IDENTIFY_CONTROLLER, 0);
    return new Identity(text(data, 4, 20), text(data, 24, 40), data.get(77), data.getInt(516));
  }

  /**
   * From Identify Namespace (NVMe 1.4 figure 245).
   *
   * @param blocks of the namespace
   * @param blockSize in bytes
   */
  public record Namespace(long blocks, int blockSize) {}

  /** Asks about the namespace. */
  public Namespace identifyNamespace() throws IOException {
    ByteBuffer data = identify(NvmeCommands.IDENTIFY_NAMESPACE, NvmeCommands.NAMESPACE);
    int format = data.get(26) & 0xf;
    return new Namespace(data.getLong(0), 1 << data.get(128 + 4 * format + 2));
  }

  /**
   * What Identify tells, 4096 bytes.
   *
   * @param structure CNS
   */
  public ByteBuffer identify(int structure, int namespace) throws IOException {
    answer.clear();
    require("Identify", NvmeCommands.identify(structure, namespace, DataPointer.of(answer)));
    return ByteBuffer.wrap(answer.read(0, PAGE)).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static String text(ByteBuffer data, int offset, int length) {
    return new String(data.array(), offset, length, StandardCharsets.US_ASCII).strip();
  }

  // I/O queues.

  /** Creates a pair of queues in the driver's memory, of as many entries each. */
  public NvmeQueue createQueue(int id, int entries) throws IOException {
    return createQueue(
        id,
        entries,
        memory.take((long) entries * SubmissionEntry.BYTES),
        memory.take((long) entries * CompletionEntry.BYTES));
  }

  /**
   * Creates a completion and a submission queue with the same identifier and number of entries.
   *
   * @param id from 1
   * @param entries of each
   * @param submissions where that queue shall lie
   * @param completions where that one shall
   */
  public NvmeQueue createQueue(int id, int entries, DmaRange submissions, DmaRange completions)
      throws IOException {
    return createQueue(
        id,
        submissions.slice(0, (long) entries * SubmissionEntry.BYTES),
        completions.slice(0, (long) entries * CompletionEntry.BYTES),
        0);
  }

  /**
   * Creates a completion and a submission queue with the same identifier.
   *
   * @param id from 1
   * @param submissions all of that queue
   * @param completions all of that one
   * @param priority QPRIO of the submission queue
   */
  public NvmeQueue createQueue(int id, DmaRange submissions, DmaRange completions, int priority)
      throws IOException {
    NvmeQueue queue = new NvmeQueue(this, id, submissions, completions, doorbells, vector(id));
    int completionEntries = Math.toIntExact(completions.length() / CompletionEntry.BYTES);
    require(
        "Create I/O Completion Queue",
        NvmeCommands.createCompletionQueue(
            id, completionEntries, completions.iova(), vectors().isEmpty() ? 0 : id));
    require(
        "Create I/O Submission Queue",
        NvmeCommands.createSubmissionQueue(id, queue.entries(), submissions.iova(), id, priority));
    return queue;
  }

  /** Creates pairs of queues in the driver's memory, from 1 on. */
  public List<NvmeQueue> createQueues(int count, int entries) throws IOException {
    List<NvmeQueue> made = new ArrayList<>();
    for (int id = 1; id <= count; id++) {
      made.add(createQueue(id, entries));
    }
    return made;
  }

  /** Deletes both queues of a pair. */
  public void deleteQueue(NvmeQueue queue) throws IOException {
    require("Delete I/O Submission Queue", NvmeCommands.deleteSubmissionQueue(queue.id()));
    require("Delete I/O Completion Queue", NvmeCommands.deleteCompletionQueue(queue.id()));
  }

  // Doorbells of queues that are created from now on, until the next enable.

  /** How they are rung. */
  public void ringBy(Doorbells newDoorbells) {
    doorbells = newDoorbells;
  }

  /** Sets shadow doorbells up, by which they are rung. */
  public ShadowDoorbells ringByShadows() throws IOException {
    DmaRange shadows = memory.take(PAGE);
    DmaRange events = memory.take(PAGE);
    shadows.clear();
    events.clear();
    require(
        "Doorbell Buffer Config", NvmeCommands.doorbellBufferConfig(shadows.iova(), events.iova()));
    ShadowDoorbells made =
        new ShadowDoorbells(shadows, events, new Doorbells.Registers(registers()));
    doorbells = made;
    return made;
  }

  // Interrupts.

  private Optional<Interrupt> vector(int index) {
    return index < vectors().size() ? Optional.of(vectors().get(index)) : Optional.empty();
  }
}
