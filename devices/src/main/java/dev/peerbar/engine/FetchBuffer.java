package dev.peerbar.engine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Where a channel's descriptors are fetched to. For the engine's thread. */
public final class FetchBuffer {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int descriptorBytes;
  private final MemorySegment memory;

  /** The first descriptor, the first two, and so on: a slice for each fetch would be garbage. */
  private final MemorySegment[] first;

  private final MemorySegment link;

  /**
   * @param descriptorBytes of each, a power of two of at least 8
   * @param most descriptors that are fetched at a time
   */
  FetchBuffer(int descriptorBytes, int most) {
    this.descriptorBytes = descriptorBytes;
    memory = Scratch.allocate((long) most * descriptorBytes);
    first = new MemorySegment[most];
    for (int i = 0; i < most; i++) {
      first[i] = memory.asSlice(0, (i + 1L) * descriptorBytes);
    }
    link = memory.asSlice(0, Long.BYTES);
  }

  /** The most descriptors that there is room for. */
  public int capacity() {
    return first.length;
  }

  /** Bytes of a descriptor. */
  public int descriptorBytes() {
    return descriptorBytes;
  }

  /** Room for the next descriptors, from the beginning on. */
  public MemorySegment first(int count) {
    return first[count - 1];
  }

  /** Room for a link that is read alone. */
  MemorySegment link() {
    return link;
  }

  /** The 8 bytes at an offset, little-endian. */
  long getLong(long offset) {
    return memory.get(LONG, offset);
  }

  /** All of it: descriptor {@code i} is at {@code i} times {@link #descriptorBytes}. */
  MemorySegment memory() {
    return memory;
  }
}
