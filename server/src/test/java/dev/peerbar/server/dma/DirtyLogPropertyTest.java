package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

final class DirtyLogPropertyTest {
  private static final long PAGE = DirtyLog.PAGE_SIZE;

  @Property(tries = 300, seed = "1")
  void reportsWhatWasWritten(
      @ForAll long seed, @ForAll @IntRange(min = 0, max = 4) int factorLog2) {
    Random random = new Random(seed);
    DirtyLog log = new DirtyLog(new Gate(), List.of());
    long base = random.nextLong() & -PAGE & Long.MAX_VALUE >> 1;
    int pages = 1 + random.nextInt(20_000);
    BitSet expected = new BitSet();
    for (int i = random.nextInt(50); i > 0; i--) {
      int at = random.nextInt(pages);
      int count = 1 + random.nextInt(pages - at);
      log.written(base + at * PAGE, count * PAGE);
      expected.set(at, at + count);
    }
    BitSet coarse = new BitSet();
    expected.stream().forEach(page -> coarse.set(page >> factorLog2));
    // Just as long as it is said to be, so that a bit beyond the end is one beyond the array.
    long[] report =
        new long[(int) (DirtyLog.bitmapSize(pages * PAGE, PAGE << factorLog2) / Long.BYTES)];
    log.report(base, pages * PAGE, PAGE << factorLog2, MemorySegment.ofArray(report));
    assertThat(BitSet.valueOf(report)).isEqualTo(coarse);
  }
}
