package dev.peerbar.driver.nvme;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;

/** The commands that drivers give, but for their identifiers (NVMe 1.4 5 and 6). */
public final class NvmeCommands {
  /** The only namespace. */
  public static final int NAMESPACE = 1;

  /** Structures of {@link #identify} (CNS). */
  public static final int IDENTIFY_NAMESPACE = 0;

  public static final int IDENTIFY_CONTROLLER = 1;

  private static final int CREATE_PHYSICALLY_CONTIGUOUS = 1;
  private static final int CREATE_INTERRUPTS_ENABLED = 1 << 1;
  private static final int CREATE_PRIORITY_SHIFT = 1;
  private static final int VECTOR_SHIFT = 16;
  private static final int CQ_ID_SHIFT = 16;
  private static final int QUEUE_SIZE_SHIFT = 16;
  private static final int FORCE_UNIT_ACCESS = 1 << 30;
  private static final int DEALLOCATE = 1 << 2;
  private static final int NUMBER_OF_QUEUES = 0x07;

  private NvmeCommands() {}

  /**
   * Any command on blocks of the namespace.
   *
   * @param blocks 1 to 65536
   */
  public static SubmissionEntry.Builder onBlocks(
      IoOpcode opcode, long lba, int blocks, DataPointer data) {
    return data.in(SubmissionEntry.builder(opcode).namespaceId(NAMESPACE))
        .qword(10, lba)
        .dword(12, blocks - 1);
  }

  /**
   * Read (NVMe 1.4 6.9).
   *
   * @param blocks 1 to 65536
   */
  public static SubmissionEntry.Builder read(long lba, int blocks, DataPointer to) {
    return onBlocks(IoOpcode.READ, lba, blocks, to);
  }

  /** Write (NVMe 1.4 6.15). */
  public static SubmissionEntry.Builder write(long lba, int blocks, DataPointer from) {
    return onBlocks(IoOpcode.WRITE, lba, blocks, from);
  }

  /** Write with Force Unit Access. */
  public static SubmissionEntry.Builder writeThrough(long lba, int blocks, DataPointer from) {
    return write(lba, blocks, from).dword(12, blocks - 1 | FORCE_UNIT_ACCESS);
  }

  /** Compare (NVMe 1.4 6.6). */
  public static SubmissionEntry.Builder compare(long lba, int blocks, DataPointer with) {
    return onBlocks(IoOpcode.COMPARE, lba, blocks, with);
  }

  /** Write Zeroes (NVMe 1.4 6.16). */
  public static SubmissionEntry.Builder writeZeroes(long lba, int blocks) {
    return onBlocks(IoOpcode.WRITE_ZEROES, lba, blocks, DataPointer.NONE);
  }

  /** Flush (NVMe 1.4 6.8). */
  public static SubmissionEntry.Builder flush() {
    return SubmissionEntry.builder(IoOpcode.FLUSH).namespaceId(NAMESPACE);
  }

  /**
   * Dataset Management that deallocates (NVMe 1.4 6.7).
   *
   * @param count of ranges, 1 to 256
   * @param ranges 16 bytes each: 4 of attributes, 4 of blocks, 8 of the first LBA
   */
  public static SubmissionEntry.Builder deallocate(int count, DataPointer ranges) {
    return ranges
        .in(SubmissionEntry.builder(IoOpcode.DATASET_MANAGEMENT).namespaceId(NAMESPACE))
        .dword(10, count - 1)
        .dword(11, DEALLOCATE);
  }

  /** Identify (NVMe 1.4 5.15). */
  public static SubmissionEntry.Builder identify(int structure, int namespace, DataPointer to) {
    return to.in(SubmissionEntry.builder(AdminOpcode.IDENTIFY).namespaceId(namespace))
        .dword(10, structure);
  }

  /** Set Features, Number of Queues (NVMe 1.4 5.21.1.7): as many pairs as wanted, from 1. */
  public static SubmissionEntry.Builder numberOfQueues(int pairs) {
    return SubmissionEntry.builder(AdminOpcode.SET_FEATURES)
        .dword(10, NUMBER_OF_QUEUES)
        .dword(11, pairs - 1 | pairs - 1 << QUEUE_SIZE_SHIFT);
  }

  /** Create I/O Completion Queue (NVMe 1.4 5.3), with interrupts. */
  public static SubmissionEntry.Builder createCompletionQueue(
      int id, int entries, long address, int vector) {
    return SubmissionEntry.builder(AdminOpcode.CREATE_IO_COMPLETION_QUEUE)
        .prp1(address)
        .dword(10, id | entries - 1 << QUEUE_SIZE_SHIFT)
        .dword(
            11, CREATE_PHYSICALLY_CONTIGUOUS | CREATE_INTERRUPTS_ENABLED | vector << VECTOR_SHIFT);
  }

  /**
   * Create I/O Submission Queue (NVMe 1.4 5.4).
   *
   * @param completionQueue that it completes into
   * @param priority QPRIO, 0 to 3: the order of {@link dev.peerbar.devices.nvme.queue.Priority}
   */
  public static SubmissionEntry.Builder createSubmissionQueue(
      int id, int entries, long address, int completionQueue, int priority) {
    return SubmissionEntry.builder(AdminOpcode.CREATE_IO_SUBMISSION_QUEUE)
        .prp1(address)
        .dword(10, id | entries - 1 << QUEUE_SIZE_SHIFT)
        .dword(
            11,
            CREATE_PHYSICALLY_CONTIGUOUS
                | priority << CREATE_PRIORITY_SHIFT
                | completionQueue << CQ_ID_SHIFT);
  }

  /** Delete I/O Submission Queue (NVMe 1.4 5.6). */
  public static SubmissionEntry.Builder deleteSubmissionQueue(int id) {
    return SubmissionEntry.builder(AdminOpcode.DELETE_IO_SUBMISSION_QUEUE).dword(10, id);
  }

  /** Delete I/O Completion Queue (NVMe 1.4 5.5). */
  public static SubmissionEntry.Builder deleteCompletionQueue(int id) {
    return SubmissionEntry.builder(AdminOpcode.DELETE_IO_COMPLETION_QUEUE).dword(10, id);
  }

  /**
   * Doorbell Buffer Config (NVMe 1.4 5.7).
   *
   * @param shadows address of the shadow doorbells, a page
   * @param events address of the EventIdx values, a page
   */
  public static SubmissionEntry.Builder doorbellBufferConfig(long shadows, long events) {
    return SubmissionEntry.builder(AdminOpcode.DOORBELL_BUFFER_CONFIG).prp1(shadows).prp2(events);
  }
}
