package dev.peerbar.engine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Memory that an engine moves things with: the same from its first job to its last, as resets may
 * come by the thousand and nobody collects garbage where there is none. That is safe as nothing
 * touches it once a job has ended (see {@link dev.peerbar.endpoint.Dma}), and an engine's next job
 * begins after that. Freed with whoever holds it: not before, as an engine's thread may be kept
 * busy beyond the end of everything else. For the engine's thread.
 */
public final class Scratch {
  private static final int CACHE_LINE = 64;

  private final long bytes;
  private MemorySegment memory;

  // What was asked for last, which is likely to be asked for next.
  private MemorySegment first = MemorySegment.NULL;

  /**
   * @param bytes the most that is ever needed at once; allocated when some is needed first
   */
  public Scratch(long bytes) {
    this.bytes = bytes;
  }

  /** Memory of this kind that is there at once: zeroed, and aligned to a cache line. */
  public static MemorySegment allocate(long bytes) {
    return Arena.ofAuto().allocate(bytes, CACHE_LINE);
  }

  /**
   * The beginning of the memory. It holds what its last user left.
   *
   * @param length in bytes, at most what this was made for
   */
  public MemorySegment first(long length) {
    if (memory == null) {
      memory = allocate(bytes);
    }
    if (first.byteSize() != length) {
      first = memory.asSlice(0, length);
    }
    return first;
  }
}
