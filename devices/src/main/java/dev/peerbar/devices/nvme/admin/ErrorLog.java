package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.queue.Events;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The Error Information log (NVMe 1.4 5.14.1.1): the newest errors, and how many there were. It
 * outlives resets. For the function's thread.
 */
public final class ErrorLog {
  static final int ENTRIES = 64;
  static final int ENTRY_BYTES = 64;

  /** For an error that no command or no queue is to blame for. */
  private static final int NONE = 0xffff;

  // Offsets in an entry, in bytes.
  private static final int ERROR_COUNT = 0;
  private static final int SQ_ID = 8;
  private static final int COMMAND_ID = 10;
  private static final int STATUS = 12;
  private static final int PARAMETER = 14;
  private static final int LBA = 16;
  private static final int NAMESPACE_ID = 24;

  private record Entry(
      long count, int sqId, int commandId, Status status, int parameter, long lba, int nsid) {}

  private final Deque<Entry> newestFirst = new ArrayDeque<>();
  private long count;

  /** As {@link Events#failed} tells it. */
  public void add(int sqId, int commandId, Status status, int parameter, long lba, int nsid) {
    if (newestFirst.size() == ENTRIES) {
      newestFirst.removeLast();
    }
    newestFirst.addFirst(new Entry(++count, sqId, commandId, status, parameter, lba, nsid));
  }

  /** An error that belongs to no command. */
  void add(Status mostApplicable) {
    add(NONE, NONE, mostApplicable, Events.NO_PARAMETER, 0, 0);
  }

  /** Errors since the process began. */
  long count() {
    return count;
  }

  /** The log page, newest entry first. */
  byte[] page() {
    Page page = new Page(ENTRIES * ENTRY_BYTES);
    int at = 0;
    for (Entry entry : newestFirst) {
      page.put64(at + ERROR_COUNT, entry.count)
          .put16(at + SQ_ID, entry.sqId)
          .put16(at + COMMAND_ID, entry.commandId)
          .put16(at + STATUS, entry.status.field() << 1)
          .put16(at + PARAMETER, entry.parameter)
          .put64(at + LBA, entry.lba)
          .put32(at + NAMESPACE_ID, entry.nsid);
      at += ENTRY_BYTES;
    }
    return page.bytes();
  }
}
