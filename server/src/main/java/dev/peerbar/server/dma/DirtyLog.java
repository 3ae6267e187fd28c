package dev.peerbar.server.dma;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Which pages of the client's memory were written directly since it last asked (vfio-user, DMA
 * logging). What is written by messages is written by the client, which knows.
 *
 * <p>Engines log inside the {@link Gate}, in the step that writes; a report excludes them, so a
 * page is in it, or in the next, and never in neither.
 */
public final class DirtyLog {
  /** What one bit stands for inside, in bytes. */
  public static final long PAGE_SIZE = DmaTable.PAGE_SIZE;

  /**
   * What to log.
   *
   * @param iova the first address, a multiple of {@link #PAGE_SIZE}
   * @param length in bytes, a multiple of {@link #PAGE_SIZE} and not zero; does not wrap
   */
  public record Range(long iova, long length) {}

  /** As many ranges as Linux takes (LOG_MAX_RANGES: those that fit into a page). */
  public static final int MOST_RANGES = 256;

  /**
   * The longest answer, in bytes: 2^31 pages, 8 TiB of the smallest. Linux has the same limit for a
   * container's bitmap (DIRTY_BITMAP_SIZE_MAX of its type1 IOMMU driver), and clients for what they
   * do not say themselves (max_bitmap_size).
   */
  public static final int MOST_BITMAP = 256 << 20;

  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int PAGE_BITS = Long.numberOfTrailingZeros(PAGE_SIZE);
  private static final int CHUNK_WORDS = 64;
  private static final long CHUNK_PAGES = (long) CHUNK_WORDS * Long.SIZE;

  /**
   * Chunks of 512 bytes, each for 16 MiB of addresses: enough for 1 TiB written all over. A client
   * that has pages written far from one another gets a coarser answer, not more of our memory.
   */
  static final int MOST_CHUNKS = 1 << 16;

  /** Pages by number, the last one included. */
  private record Pages(long first, long last) {
    static Pages of(long iova, long length) {
      return new Pages(iova >>> PAGE_BITS, (iova + length - 1) >>> PAGE_BITS);
    }

    /** What both have; empty if the last is before the first. */
    Pages and(Pages other) {
      return new Pages(Math.max(first, other.first), Math.min(last, other.last));
    }

    /** Those of the 64 that begin at {@code base}, as a mask. */
    long mask(long base) {
      long from = Math.max(first - base, 0);
      long to = Math.min(last - base, Long.SIZE - 1L);
      return from > to ? 0 : -1L << from & -1L >>> (Long.SIZE - 1L - to);
    }
  }

  private static final Pages ALL = new Pages(0, -1L >>> PAGE_BITS);

  private final Gate gate;
  private final NavigableMap<Long, Pages> watched = new TreeMap<>();
  private final ConcurrentMap<Long, AtomicLongArray> chunks = new ConcurrentHashMap<>();
  private volatile boolean overflowed;

  /**
   * @param ranges what to log, without overlaps; none for everything
   */
  DirtyLog(Gate gate, List<Range> ranges) {
    this.gate = gate;
    for (Range range : ranges) {
      Pages pages = Pages.of(range.iova(), range.length());
      watched.put(pages.first(), pages);
    }
    if (ranges.isEmpty()) {
      watched.put(ALL.first(), ALL);
    }
  }

  /** Logs a write, of at least a byte. For an engine inside the gate. */
  void written(long iova, long length) {
    Pages pages = Pages.of(iova, length);
    Map.Entry<Long, Pages> before = watched.floorEntry(pages.first());
    long from = before == null ? pages.first() : before.getKey();
    for (Pages part : watched.subMap(from, true, pages.last(), true).values()) {
      mark(part.and(pages));
    }
  }

  private void mark(Pages pages) {
    long base = pages.first() & -Long.SIZE;
    for (long word = base; word <= pages.last() && !overflowed; word += Long.SIZE) {
      long bits = pages.mask(word);
      AtomicLongArray chunk = chunk(word / CHUNK_PAGES);
      if (chunk != null && bits != 0) {
        chunk.accumulateAndGet(
            (int) (word % CHUNK_PAGES / Long.SIZE), bits, (before, more) -> before | more);
      }
    }
  }

  private AtomicLongArray chunk(long number) {
    AtomicLongArray chunk = chunks.get(number);
    if (chunk != null) {
      return chunk;
    }
    if (chunks.size() >= MOST_CHUNKS) {
      overflowed = true;
      return null;
    }
    return chunks.computeIfAbsent(number, _ -> new AtomicLongArray(CHUNK_WORDS));
  }

  /**
   * Tells what was written in a range, and forgets it. For the function's thread.
   *
   * @param iova a multiple of {@link #PAGE_SIZE}
   * @param length in bytes, at least 1; does not wrap
   * @param pageSize what one bit of the answer stands for, a power of two, at least {@link
   *     #PAGE_SIZE}
   * @param answer {@link #bitmapSize} bytes of zeros, aligned to 8; bit n, in words of 64 bits,
   *     becomes 1 if the {@code pageSize} bytes from {@code iova + n * pageSize} on were written
   */
  public void report(long iova, long length, long pageSize, MemorySegment answer) {
    Bitmap bitmap = new Bitmap(iova, length, pageSize, answer);
    gate.exclusively(() -> {
      if (overflowed) {
        everything(watched.values(), bitmap);
      } else {
        take(bitmap);
      }
    });
  }

  private static void everything(Collection<Pages> watched, Bitmap bitmap) {
    for (Pages part : watched) {
      bitmap.add(part.and(bitmap.pages));
    }
  }

  private void take(Bitmap bitmap) {
    Iterator<Map.Entry<Long, AtomicLongArray>> all = chunks.entrySet().iterator();
    while (all.hasNext()) {
      Map.Entry<Long, AtomicLongArray> entry = all.next();
      long base = entry.getKey() * CHUNK_PAGES;
      if (base > bitmap.pages.last() || base + CHUNK_PAGES <= bitmap.pages.first()) {
        continue;
      }
      if (take(base, entry.getValue(), bitmap)) {
        all.remove();
      }
    }
  }

  /** Returns whether nothing is left in the chunk. */
  private static boolean take(long base, AtomicLongArray chunk, Bitmap bitmap) {
    boolean empty = true;
    for (int i = 0; i < CHUNK_WORDS; i++) {
      long first = base + (long) i * Long.SIZE;
      long word = chunk.get(i);
      long taken = word & bitmap.pages.mask(first);
      for (long rest = taken; rest != 0; rest &= rest - 1) {
        long page = first + Long.numberOfTrailingZeros(rest);
        bitmap.add(new Pages(page, page));
      }
      chunk.set(i, word & ~taken);
      empty &= word == taken;
    }
    return empty;
  }

  /** A report in the making. */
  private static final class Bitmap {
    private final Pages pages;
    private final int pagesOfBitLog2;
    private final MemorySegment words;

    Bitmap(long iova, long length, long pageSize, MemorySegment words) {
      pages = Pages.of(iova, length);
      pagesOfBitLog2 = Long.numberOfTrailingZeros(pageSize) - PAGE_BITS;
      this.words = words;
    }

    void add(Pages part) {
      if (part.first() > part.last()) {
        return;
      }
      Pages bits = new Pages(bit(part.first()), bit(part.last()));
      for (long word = bits.first() & -Long.SIZE; word <= bits.last(); word += Long.SIZE) {
        long at = word / Byte.SIZE;
        words.set(WORD, at, words.get(WORD, at) | bits.mask(word));
      }
    }

    private long bit(long page) {
      return page - pages.first() >> pagesOfBitLog2;
    }
  }

  /**
   * How long the answer of {@link #report} is, in bytes.
   *
   * @param length in bytes, at least 1
   */
  public static long bitmapSize(long length, long pageSize) {
    long lastBit = Long.divideUnsigned(length - 1, pageSize);
    return (lastBit / Long.SIZE + 1) * Long.BYTES;
  }
}
