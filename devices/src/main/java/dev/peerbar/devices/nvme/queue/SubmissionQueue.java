package dev.peerbar.devices.nvme.queue;

/** A submission queue (NVMe 1.4 4.1). All that changes is guarded by the {@link Arbiter}. */
final class SubmissionQueue {
  final int id;
  final int entries;
  final long address;
  final CompletionQueue completions;
  final Priority priority;

  int tail;

  /** The next entry to fetch: every entry before it has been read, and may be overwritten. */
  int head;

  /** Whether an engine is reading entries from the head on; one at a time does. */
  boolean fetching;

  /** Commands that are fetched, or about to be, and not completed. */
  int inFlight;

  /** Commands among them that are put aside. */
  int aside;

  /** Told once nothing is in flight any more; null while the queue is there to stay. */
  Runnable whenEmpty;

  /** Whether there is a shadow doorbell: then only who polls it moves the tail. */
  volatile boolean shadowed;

  /** With a shadow doorbell, what the register was last written. */
  volatile int rungTail;

  // For the engine that polls shadow doorbells.

  /** Whether the shadow has moved: from then on the register's value does not count. */
  boolean usesShadow;

  int seenRung;
  int seenTail;
  int eventTail;

  SubmissionQueue(
      int id, int entries, long address, CompletionQueue completions, Priority priority) {
    this.id = id;
    this.entries = entries;
    this.address = address;
    this.completions = completions;
    this.priority = priority;
  }

  int pending() {
    return tail >= head ? tail - head : tail - head + entries;
  }

  boolean deleting() {
    return whenEmpty != null;
  }
}
