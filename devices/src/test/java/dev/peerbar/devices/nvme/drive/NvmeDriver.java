package dev.peerbar.devices.nvme.drive;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Drives an NVMe controller with pages of 4 KiB. For one thread. */
public final class NvmeDriver {
  public static final long RAM = 0x4000_0000L;
  public static final long RAM_BYTES = 32 << 20;
  public static final int PAGE = 4096;

  private static final int ADMIN_ENTRIES = 32;
  private static final int ENABLE_WEIGHTED = 1 << NvmeRegisters.CC_AMS_SHIFT;
  private static final int CONTROLLER_CONFIGURATION =
      NvmeRegisters.CC_EN
          | SubmissionEntry.BYTES_LOG2 << NvmeRegisters.CC_IOSQES_SHIFT
          | 4 << NvmeRegisters.CC_IOCQES_SHIFT;

  private final Machine machine;
  private final MemorySegment ram;
  private long free = RAM;
  private QueuePair admin;
  private int commandId;
  private MemorySegment shadow;
  private MemorySegment eventIdx;
  private long eventIdxAddress;

  public NvmeDriver(Machine machine) {
    this.machine = machine;
    ram = machine.map(RAM, RAM_BYTES);
  }

  /** The IOVA of whole pages that are nobody else's until the next {@link #enable}. */
  public long allocate(long bytes) {
    long at = free;
    free += (bytes + PAGE - 1) / PAGE * PAGE;
    return at;
  }

  public MemorySegment memory(long iova, long bytes) {
    return ram.asSlice(iova - RAM, bytes);
  }

  /** How much memory is in use. */
  public record Mark(long free) {}

  public Mark mark() {
    return new Mark(free);
  }

  /** Gives back all that was allocated since. */
  public void release(Mark mark) {
    free = mark.free;
  }

  public byte[] bytes(long iova, long bytes) {
    return memory(iova, bytes).toArray(ValueLayout.JAVA_BYTE);
  }

  public void fill(long iova, byte[] bytes) {
    memory(iova, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
  }

  /** Enables the controller from disabled, with fresh memory for queues. */
  public NvmeDriver enable() {
    return enable(0);
  }

  public NvmeDriver enableWeighted() {
    return enable(ENABLE_WEIGHTED);
  }

  /** Enables the controller with memory that no life before has used. */
  public NvmeDriver enableElsewhere() {
    return enable(0, RAM + RAM_BYTES / 2);
  }

  private NvmeDriver enable(int more) {
    return enable(more, RAM);
  }

  private NvmeDriver enable(int more, long start) {
    free = start;
    shadow = null;
    admin = pair(0, ADMIN_ENTRIES, ADMIN_ENTRIES, allocate(PAGE), allocate(PAGE));
    machine.write4(NvmeRegisters.AQA, ADMIN_ENTRIES - 1 << 16 | ADMIN_ENTRIES - 1);
    machine.write8(NvmeRegisters.ASQ, start);
    machine.write8(NvmeRegisters.ACQ, start + PAGE);
    machine.write4(NvmeRegisters.CC, CONTROLLER_CONFIGURATION | more);
    awaitReady();
    return this;
  }

  private void awaitReady() {
    long deadline = System.nanoTime() + 60_000_000_000L;
    while ((machine.read4(NvmeRegisters.CSTS) & NvmeRegisters.CSTS_RDY) == 0) {
      machine.pass();
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("CSTS is " + machine.read4(NvmeRegisters.CSTS));
      }
    }
  }

  public void disable() {
    machine.write4(NvmeRegisters.CC, 0);
  }

  private QueuePair pair(int id, int entries, int completionEntries, long sq, long cq) {
    MemorySegment submission = memory(sq, (long) entries * SubmissionEntry.BYTES);
    MemorySegment completion = memory(cq, (long) completionEntries * CompletionEntry.BYTES);
    // Anything but for the phase tags.
    completion.fill((byte) 0xee);
    return new QueuePair(machine, id, submission, completion);
  }

  public CompletionEntry admin(SubmissionEntry.Builder command) {
    return admin.run(command.commandId(nextCommandId()).build());
  }

  public QueuePair adminQueue() {
    return admin;
  }

  public int nextCommandId() {
    commandId = commandId + 1 & 0xffff;
    return commandId;
  }

  public void need(CompletionEntry completion) {
    if (completion.status() != Status.SUCCESS) {
      throw new AssertionError(completion);
    }
  }

  /** Has both queues of a pair made. */
  public QueuePair createPair(int id, int entries) {
    return createPair(id, entries, entries, 0);
  }

  /**
   * @param priority QPRIO
   */
  public QueuePair createPair(int id, int entries, int completionEntries, int priority) {
    long sq = allocate((long) entries * SubmissionEntry.BYTES);
    long cq = allocate((long) completionEntries * CompletionEntry.BYTES);
    need(admin(createCompletionQueue(id, completionEntries, cq)));
    need(admin(createSubmissionQueue(id, entries, sq, id, priority)));
    QueuePair pair = pair(id, entries, completionEntries, sq, cq);
    if (shadow != null) {
      pair.shadow(shadow, eventIdx);
    }
    return pair;
  }

  public static SubmissionEntry.Builder createCompletionQueue(int id, int entries, long address) {
    return SubmissionEntry.builder(AdminOpcode.CREATE_IO_COMPLETION_QUEUE)
        .prp1(address)
        .dword(10, id | entries - 1 << 16)
        // Physically contiguous, interrupts enabled; the pin's vector.
        .dword(11, 3);
  }

  public static SubmissionEntry.Builder createSubmissionQueue(
      int id, int entries, long address, int cqid, int priority) {
    return SubmissionEntry.builder(AdminOpcode.CREATE_IO_SUBMISSION_QUEUE)
        .prp1(address)
        .dword(10, id | entries - 1 << 16)
        .dword(11, 1 | priority << 1 | cqid << 16);
  }

  public static SubmissionEntry.Builder deleteSubmissionQueue(int id) {
    return SubmissionEntry.builder(AdminOpcode.DELETE_IO_SUBMISSION_QUEUE).dword(10, id);
  }

  public static SubmissionEntry.Builder deleteCompletionQueue(int id) {
    return SubmissionEntry.builder(AdminOpcode.DELETE_IO_COMPLETION_QUEUE).dword(10, id);
  }

  /** Doorbell Buffer Config, for pairs created from now on. */
  public NvmeDriver useShadowDoorbells() {
    long buffer = allocate(PAGE);
    long events = allocate(PAGE);
    shadow = memory(buffer, PAGE);
    eventIdx = memory(events, PAGE);
    eventIdxAddress = events;
    shadow.fill((byte) 0);
    eventIdx.fill((byte) 0);
    need(
        admin(
            SubmissionEntry.builder(AdminOpcode.DOORBELL_BUFFER_CONFIG).prp1(buffer).prp2(events)));
    return this;
  }

  public MemorySegment shadow() {
    return shadow;
  }

  /** The IOVA of the EventIdx buffer. */
  public long eventIdx() {
    return eventIdxAddress;
  }

  /**
   * A command on blocks of namespace 1, with a data pointer of at most two pages.
   *
   * @param blocks not 0's based
   */
  public SubmissionEntry.Builder io(IoOpcode opcode, long firstLba, int blocks, long buffer) {
    return SubmissionEntry.builder(opcode)
        .commandId(nextCommandId())
        .namespaceId(1)
        .prp1(buffer)
        .prp2((buffer & -PAGE) + PAGE)
        .qword(10, firstLba)
        .dword(12, blocks - 1);
  }
}
