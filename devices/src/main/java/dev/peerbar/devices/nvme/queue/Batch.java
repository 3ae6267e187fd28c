package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.SubmissionEntry;

/**
 * Entries that a worker reads from one queue and executes one by one, but for those that others
 * take. Guarded by the {@link Arbiter}.
 */
final class Batch {
  private SubmissionQueue queue;
  private int start;
  private int count;
  private int next;
  private boolean open;

  /** Entries to be read, from the queue's head on. */
  void claim(SubmissionQueue from, int number) {
    queue = from;
    start = from.head;
    count = number;
    next = 0;
    open = false;
  }

  /** They are not read after all. */
  void drop() {
    count = 0;
  }

  /** Whether the entries have yet to be read. */
  boolean claimed() {
    return count > 0 && !open;
  }

  /** The entries are read. */
  void open() {
    open = true;
  }

  SubmissionQueue queue() {
    return queue;
  }

  int count() {
    return count;
  }

  /** The IOVA of the first entry. */
  long address() {
    return queue.address + (long) start * SubmissionEntry.BYTES;
  }

  /** How many entries nobody has begun. */
  int unstarted() {
    return open ? count - next : 0;
  }

  /** The index of the next entry that nobody has begun. */
  int next() {
    return next;
  }

  /** Takes the next entry; returns its index. */
  int take() {
    return next++;
  }
}
