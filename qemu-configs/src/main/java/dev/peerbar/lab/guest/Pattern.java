package dev.peerbar.lab.guest;

import dev.peerbar.driver.DmaRange;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * Bytes that depend on a seed and a place, the same on the host and in the guest: word {@code i} is
 * splitmix64 of {@code seed + i}, little-endian. So 64 MiB can be compared at both ends without
 * crossing between them.
 */
public final class Pattern {
  private static final long GOLDEN = 0x9e3779b97f4a7c15L;
  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private Pattern() {}

  /** Word {@code index} of the pattern. */
  public static long word(long seed, long index) {
    long z = (seed + index) * GOLDEN;
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }

  /** Fills memory of the host whose size is a multiple of 8. */
  public static void fill(MemorySegment to, long seed) {
    for (long i = 0; i < words(to); i++) {
      to.set(WORD, i * Long.BYTES, word(seed, i));
    }
  }

  /** The offset in bytes of the first word that is not the pattern's, or the size if all are. */
  public static long mismatch(MemorySegment in, long seed) {
    for (long i = 0; i < words(in); i++) {
      if (in.get(WORD, i * Long.BYTES) != word(seed, i)) {
        return i * Long.BYTES;
      }
    }
    return in.byteSize();
  }

  /**
   * Fills memory of the guest, there.
   *
   * @param to part of a {@link GuestMemory}, of a multiple of 8 bytes
   */
  public static void fill(DmaRange to, long seed) throws IOException {
    GuestMemory.of(to).fillPattern(to.offset(), to.length(), seed);
  }

  /**
   * Compares memory of the guest, there: the first word that is not the pattern's, empty if all
   * are.
   *
   * @param in part of a {@link GuestMemory}, of a multiple of 8 bytes
   */
  public static Optional<GuestAgent.Mismatch> verify(DmaRange in, long seed) throws IOException {
    return GuestMemory.of(in).verifyPattern(in.offset(), in.length(), seed);
  }

  /** Whether memory begins with the pattern. */
  public static boolean begins(MemorySegment in, long seed) {
    return in.get(WORD, 0) == word(seed, 0) && in.get(WORD, Long.BYTES) == word(seed, 1);
  }

  private static long words(MemorySegment segment) {
    if (segment.byteSize() % Long.BYTES != 0) {
      throw new IllegalArgumentException(segment.byteSize() + " bytes");
    }
    return segment.byteSize() / Long.BYTES;
  }
}
