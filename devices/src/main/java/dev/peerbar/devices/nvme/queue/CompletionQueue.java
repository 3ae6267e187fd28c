package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.CompletionEntry;

/** A completion queue (NVMe 1.4 4.1). All that changes is guarded by the {@link Arbiter}. */
final class CompletionQueue {
  final int id;
  final int entries;
  final long address;
  final int vector;
  final boolean interrupts;

  int head;
  int tail;
  boolean phase = true;

  /** Slots for commands that are in flight: each can complete without waiting. */
  int reserved;

  /** Slots before the tail whose entry is not written yet. */
  int unwritten;

  /** Submission queues that complete here, being deleted or not. */
  int users;

  /** Whether commands wait for a slot. */
  boolean starved;

  /** Whether there is a shadow doorbell: then only who polls it moves the head. */
  volatile boolean shadowed;

  /** With a shadow doorbell, what the register was last written. */
  volatile int rungHead;

  /** Whether the vector is to be raised. */
  volatile boolean unraised;

  /** Whether the head has moved since the vector was raised last, if it ever was. */
  volatile boolean answered = true;

  /** When that was, of {@link System#nanoTime}. */
  volatile long raisedAt;

  // For the engine that polls shadow doorbells.

  /** Whether the shadow has moved: from then on the register's value does not count. */
  boolean usesShadow;

  int seenRung;
  int seenHead;
  int eventHead;

  CompletionQueue(int id, int entries, long address, int vector, boolean interrupts) {
    this.id = id;
    this.entries = entries;
    this.address = address;
    this.vector = vector;
    this.interrupts = interrupts;
  }

  /** There is a shadow, or another one. What the register said before there was any is known. */
  void useShadow() {
    if (!shadowed) {
      rungHead = head;
    }
    if (!shadowed || usesShadow) {
      seenRung = rungHead;
    }
    usesShadow = false;
    shadowed = true;
  }

  private int used() {
    return tail >= head ? tail - head : tail - head + entries;
  }

  /** Slots that can be reserved. One stays empty, or a full queue would look like an empty one. */
  int free() {
    return entries - 1 - used() - reserved;
  }

  /** Whether slots run out, so that the head is worth a look; a hint without the lock. */
  boolean scarce() {
    return free() <= entries / 2;
  }

  /** Whether there is something for the host to take. */
  boolean occupied() {
    return used() > unwritten;
  }

  /** Moves the head. Returns false, without a change, if it cannot be there. */
  boolean moveHead(int value) {
    if (value < 0 || value >= entries) {
      return false;
    }
    int taken = value >= head ? value - head : value - head + entries;
    if (taken > used()) {
      return false;
    }
    head = value;
    answered = true;
    return true;
  }

  /** Of all slots. */
  long bytes() {
    return (long) entries * CompletionEntry.BYTES;
  }

  /** The IOVA of a slot. */
  long slotAddress(int slot) {
    return address + (long) slot * CompletionEntry.BYTES;
  }

  /** Takes the next slot; its phase tag is {@link #phase} as it was before. */
  int takeSlot() {
    int slot = tail;
    tail++;
    if (tail == entries) {
      tail = 0;
      phase = !phase;
    }
    return slot;
  }
}
