package dev.peerbar.server.dma;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;

/**
 * What an engine reads into before it writes, where source and destination cannot meet directly.
 * Kept from job to job while there are many, and no longer. For the engine's thread.
 */
public final class Bounce {
  /** The most that is read before it is written, in bytes. */
  static final long BYTES = 2 << 20;

  private WeakReference<MemorySegment> memory = new WeakReference<>(null);

  /**
   * The memory.
   *
   * @param limit how much of it is wanted, if it has as much
   */
  MemorySegment take(long limit) {
    MemorySegment all = memory.get();
    if (all == null) {
      // Garbage collected: see leave.
      all = Arena.ofAuto().allocate(BYTES);
      memory = new WeakReference<>(all);
    }
    return all.asSlice(0, Math.min(BYTES, limit));
  }

  /** Leaves it to messages that are on their way with it, and takes another one the next time. */
  void leave() {
    memory.clear();
  }
}
