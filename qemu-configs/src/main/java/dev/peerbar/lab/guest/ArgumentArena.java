package dev.peerbar.lab.guest;

import java.util.Optional;
import java.util.TreeMap;

/**
 * The agent's memory for arguments of system calls, shared out to those that are under way: first
 * fit. May be used from any thread.
 */
final class ArgumentArena {
  /** The alignment of every structure that a system call takes. */
  private static final int ALIGNMENT = 64;

  /** Length by address of what is free; no two of them touch. */
  private final TreeMap<Long, Long> free = new TreeMap<>();

  private final long size;

  ArgumentArena(long address, long size) {
    this.size = size;
    free.put(address, size);
  }

  /** All of it, in bytes. */
  long size() {
    return size;
  }

  static long aligned(long length) {
    return (length + ALIGNMENT - 1) & -ALIGNMENT;
  }

  /** Memory that is somebody's until he gives it back. */
  final class Part {
    private final long address;
    private final long length;
    private boolean given;

    private Part(long address, long length) {
      this.address = address;
      this.length = length;
    }

    /** Where it begins, a multiple of 64. */
    long address() {
      return address;
    }

    /** Gives it back, once however often it is called. */
    void giveBack() {
      synchronized (ArgumentArena.this) {
        if (!given) {
          given = true;
          release(address, length);
        }
      }
    }
  }

  /** Takes some, or none if there is not so much in one piece. */
  synchronized Optional<Part> take(long length) {
    long taken = aligned(Math.max(1, length));
    for (var hole : free.entrySet()) {
      long address = hole.getKey();
      long left = hole.getValue() - taken;
      if (left >= 0) {
        free.remove(address);
        if (left > 0) {
          free.put(address + taken, left);
        }
        return Optional.of(new Part(address, taken));
      }
    }
    return Optional.empty();
  }

  private void release(long address, long length) {
    var before = free.floorEntry(address);
    if (before != null && before.getKey() + before.getValue() == address) {
      address = before.getKey();
      length += before.getValue();
    }
    Long after = free.remove(address + length);
    free.put(address, after == null ? length : length + after);
  }
}
