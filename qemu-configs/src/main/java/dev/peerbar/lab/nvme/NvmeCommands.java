package dev.peerbar.lab.nvme;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;

/** The commands that the driver gives, but for their identifiers (NVMe 1.4 5 and 6). */
public final class NvmeCommands {
  /** The only namespace. */
  public static final int NAMESPACE = 1;

  private static final int CREATE_PHYSICALLY_CONTIGUOUS = 1;
  private static final int CREATE_INTERRUPTS_ENABLED = 1 << 1;
  private static final int VECTOR_SHIFT = 16;
  private static final int CQ_ID_SHIFT = 16;
  private static final int QUEUE_SIZE_SHIFT = 16;
  private static final int FORCE_UNIT_ACCESS = 1 << 30;

  private NvmeCommands() {}

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

  private static SubmissionEntry.Builder onBlocks(
      IoOpcode opcode, long lba, int blocks, DataPointer data) {
    return data.in(SubmissionEntry.builder(opcode).namespaceId(NAMESPACE))
        .qword(10, lba)
        .dword(12, blocks - 1);
  }

  /** Identify (NVMe 1.4 5.15). */
  static SubmissionEntry.Builder identify(int structure, int namespace, DataPointer to) {
    return to.in(SubmissionEntry.builder(AdminOpcode.IDENTIFY).namespaceId(namespace))
        .dword(10, structure);
  }

  /** Create I/O Completion Queue (NVMe 1.4 5.3), with interrupts. */
  static SubmissionEntry.Builder createCompletionQueue(
      int id, int entries, long address, int vector) {
    return SubmissionEntry.builder(AdminOpcode.CREATE_IO_COMPLETION_QUEUE)
        .prp1(address)
        .dword(10, id | entries - 1 << QUEUE_SIZE_SHIFT)
        .dword(
            11, CREATE_PHYSICALLY_CONTIGUOUS | CREATE_INTERRUPTS_ENABLED | vector << VECTOR_SHIFT);
  }

  /** Create I/O Submission Queue (NVMe 1.4 5.4) that completes into the queue of the same id. */
  static SubmissionEntry.Builder createSubmissionQueue(int id, int entries, long address) {
    return SubmissionEntry.builder(AdminOpcode.CREATE_IO_SUBMISSION_QUEUE)
        .prp1(address)
        .dword(10, id | entries - 1 << QUEUE_SIZE_SHIFT)
        .dword(11, CREATE_PHYSICALLY_CONTIGUOUS | id << CQ_ID_SHIFT);
  }

  /** Delete I/O Submission or Completion Queue (NVMe 1.4 5.5 and 5.6). */
  static SubmissionEntry.Builder deleteQueue(AdminOpcode opcode, int id) {
    return SubmissionEntry.builder(opcode).dword(10, id);
  }
}
