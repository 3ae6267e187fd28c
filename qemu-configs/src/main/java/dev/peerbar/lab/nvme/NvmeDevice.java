package dev.peerbar.lab.nvme;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.uapi.VfioPciIrq;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.VfioDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * An NVMe controller that the guest drives through vfio-pci: BAR 0 mapped, MSI-X on eventfds, the
 * admin queue in guest memory. For one thread at a time.
 */
public final class NvmeDevice implements AutoCloseable {
  /** How long a command may take, or a controller to become ready, on a busy machine. */
  public static final Duration LIMIT = Duration.ofSeconds(60);

  private static final int PAGE = 4096;
  private static final int ADMIN_ENTRIES = 32;

  /** Vector 0 is the admin queue's, vector n that of completion queue n. */
  private static final int MOST_VECTORS = 9;

  private static final int STRUCTURE_NAMESPACE = 0;
  private static final int STRUCTURE_CONTROLLER = 1;

  private final VfioDevice vfio;
  private final GuestMemory registers;
  private final List<EventFd> vectors;
  private final DmaRange adminSubmissions;
  private final DmaRange adminCompletions;
  private final DmaRange answer;
  private NvmeQueue admin;

  private NvmeDevice(
      VfioDevice vfio, GuestMemory registers, List<EventFd> vectors, DmaRange pages) {
    this.vfio = vfio;
    this.registers = registers;
    this.vectors = vectors;
    adminSubmissions = pages.slice(0, PAGE);
    adminCompletions = pages.slice(PAGE, PAGE);
    answer = pages.slice(2L * PAGE, PAGE);
  }

  /** Takes over a function that is open and attached to the IOAS: bus mastering and MSI-X go on. */
  public static NvmeDevice of(Guest guest, VfioDevice vfio, Ioas ioas) throws IOException {
    vfio.memorySpace(true);
    vfio.busMaster(true);
    GuestMemory registers = vfio.mmapBar(NvmeRegisters.BAR);
    GuestMemory pages = guest.allocate(3L * PAGE);
    int vectors = Math.min(MOST_VECTORS, vfio.irq(VfioPciIrq.MSIX).count());
    return new NvmeDevice(
        vfio, registers, vfio.enableMsix(vectors), DmaRange.of(pages, ioas.map(pages)));
  }

  public VfioDevice vfio() {
    return vfio;
  }

  public int read(long register) throws IOException {
    return registers.read32(register);
  }

  public long readLong(long register) throws IOException {
    return registers.read64(register);
  }

  public void write(long register, int value) throws IOException {
    registers.write32(register, value);
  }

  public void writeLong(long register, long value) throws IOException {
    registers.write64(register, value);
  }

  /** Writes a register and waits for an event; how long both took in the guest. */
  Optional<Duration> timeEvent(long register, int value, EventFd event, Duration limit)
      throws IOException {
    return registers.timeEvent(register, Integer.BYTES, value, event, limit);
  }

  /** All of the doorbell page, which must be mapped memory, as it reads. */
  public byte[] readDoorbells() throws IOException {
    return registers.read(NvmeRegisters.DOORBELLS, (int) NvmeRegisters.DOORBELLS_LENGTH);
  }

  /**
   * Begins a life of the controller: CC.EN from 0 to 1, with an empty admin queue (NVMe 1.4 7.6.1).
   */
  public void enable() throws IOException {
    disable();
    adminSubmissions.clear();
    admin =
        new NvmeQueue(
            this, 0, ADMIN_ENTRIES, adminSubmissions, adminCompletions, vectors.getFirst());
    write(NvmeRegisters.AQA, ADMIN_ENTRIES - 1 | ADMIN_ENTRIES - 1 << NvmeRegisters.AQA_ACQS_SHIFT);
    writeLong(NvmeRegisters.ASQ, adminSubmissions.address());
    writeLong(NvmeRegisters.ACQ, adminCompletions.address());
    write(
        NvmeRegisters.CC,
        NvmeRegisters.CC_EN
            | Integer.numberOfTrailingZeros(SubmissionEntry.BYTES) << NvmeRegisters.CC_IOSQES_SHIFT
            | Integer.numberOfTrailingZeros(CompletionEntry.BYTES)
                << NvmeRegisters.CC_IOCQES_SHIFT);
    awaitReady(true);
  }

  /** Ends it: CC.EN to 0 (a Controller Reset, NVMe 1.4 7.3.2), and waits until that is done. */
  public void disable() throws IOException {
    write(NvmeRegisters.CC, 0);
    awaitReady(false);
  }

  private void awaitReady(boolean wanted) throws IOException {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      int status = read(NvmeRegisters.CSTS);
      boolean failed = wanted && (status & NvmeRegisters.CSTS_CFS) != 0;
      if (!failed && ((status & NvmeRegisters.CSTS_RDY) != 0) == wanted) {
        return;
      }
      if (failed || System.nanoTime() >= end) {
        throw new IOException(
            "%s: CSTS is 0x%x, not %sready".formatted(vfio.pci(), status, wanted ? "" : "un"));
      }
    }
  }

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
      throw new IOException(vfio.pci() + " has no controller memory buffer");
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
      throw new IOException("%s: CBA 0x%x is not to its liking".formatted(vfio.pci(), address));
    }
  }

  /** Runs an admin command; how it ended. */
  public CompletionEntry admin(SubmissionEntry.Builder command) throws IOException {
    return admin.run(command, LIMIT);
  }

  private void require(String what, SubmissionEntry.Builder command) throws IOException {
    CompletionEntry completion = admin(command);
    if (completion.status() != Status.SUCCESS) {
      throw new NvmeStatusException(what, completion);
    }
  }

  /**
   * From Identify Controller (NVMe 1.4 figure 247).
   *
   * @param mdts log2 of the most data of a command, in pages; 0 for no limit
   */
  public record Identity(String serialNumber, String model, int mdts, int namespaces) {}

  /** Asks the controller who it is. */
  public Identity identify() throws IOException {
    ByteBuffer data = identify(STRUCTURE_CONTROLLER, 0);
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
    ByteBuffer data = identify(STRUCTURE_NAMESPACE, NvmeCommands.NAMESPACE);
    int format = data.get(26) & 0xf;
    return new Namespace(data.getLong(0), 1 << data.get(128 + 4 * format + 2));
  }

  private ByteBuffer identify(int structure, int namespace) throws IOException {
    answer.clear();
    require("Identify", NvmeCommands.identify(structure, namespace, DataPointer.of(answer)));
    return ByteBuffer.wrap(answer.read(0, PAGE)).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static String text(ByteBuffer data, int offset, int length) {
    return new String(data.array(), offset, length, StandardCharsets.US_ASCII).strip();
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
    NvmeQueue queue = new NvmeQueue(this, id, entries, submissions, completions, vectors.get(id));
    require(
        "Create I/O Completion Queue",
        NvmeCommands.createCompletionQueue(id, entries, completions.address(), id));
    require(
        "Create I/O Submission Queue",
        NvmeCommands.createSubmissionQueue(id, entries, submissions.address()));
    return queue;
  }

  /** Deletes both queues of a pair. */
  public void deleteQueue(NvmeQueue queue) throws IOException {
    require(
        "Delete I/O Submission Queue",
        NvmeCommands.deleteQueue(AdminOpcode.DELETE_IO_SUBMISSION_QUEUE, queue.id()));
    require(
        "Delete I/O Completion Queue",
        NvmeCommands.deleteQueue(AdminOpcode.DELETE_IO_COMPLETION_QUEUE, queue.id()));
  }

  /** Forgets interrupts that have come; how many there were. */
  public long drainInterrupts() throws IOException {
    long count = 0;
    for (EventFd vector : vectors) {
      count += vector.drain();
    }
    return count;
  }

  /** Closes the function; what else is mapped of it keeps it open. */
  @Override
  public void close() throws IOException {
    registers.close();
    vfio.close();
  }
}
