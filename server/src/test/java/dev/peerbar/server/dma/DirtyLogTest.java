package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.server.dma.DirtyLog.Range;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class DirtyLogTest {
  private static final long PAGE = DirtyLog.PAGE_SIZE;
  private static final long LAST_PAGE = -PAGE;

  private final Gate gate = new Gate();
  private final DirtyLog all = new DirtyLog(gate, List.of());

  private static BitSet report(DirtyLog log, long iova, long length, long pageSize) {
    long[] words = new long[Math.toIntExact(DirtyLog.bitmapSize(length, pageSize) / Long.BYTES)];
    log.report(iova, length, pageSize, MemorySegment.ofArray(words));
    return BitSet.valueOf(words);
  }

  private static List<Integer> bits(BitSet bits) {
    return bits.stream().boxed().toList();
  }

  @Test
  void aWriteMarksEveryPageItTouches() {
    all.written(3 * PAGE - 1, PAGE + 2);
    assertThat(bits(report(all, 0, 64 * PAGE, PAGE))).containsExactly(2, 3, 4);
  }

  @Test
  void aReportForgetsWhatItTellsAndNothingElse() {
    all.written(10 * PAGE, 100 * PAGE);
    assertThat(bits(report(all, 20 * PAGE, 10 * PAGE, PAGE))).hasSize(10);
    assertThat(bits(report(all, 0, 128 * PAGE, PAGE)))
        .hasSize(90)
        .doesNotContain(9, 20, 29, 110)
        .contains(10, 19, 30, 109);
    assertThat(bits(report(all, 0, 128 * PAGE, PAGE))).isEmpty();
  }

  @Test
  void aBitMayStandForManyPages() {
    all.written(5 * PAGE, 1);
    all.written(17 * PAGE, 1);
    assertThat(bits(report(all, 0, 32 * PAGE, 4 * PAGE))).containsExactly(1, 4);
  }

  @Test
  void bitsCountFromTheBeginningOfTheRange() {
    all.written(5 * PAGE, 1);
    assertThat(bits(report(all, 3 * PAGE, 4 * PAGE, PAGE))).containsExactly(2);
    all.written(5 * PAGE, 1);
    assertThat(bits(report(all, 3 * PAGE, 4 * PAGE, 2 * PAGE))).containsExactly(1);
  }

  @Test
  void theEndsOfTheAddressSpaceCount() {
    all.written(LAST_PAGE, PAGE);
    all.written(0, 1);
    assertThat(bits(report(all, LAST_PAGE, PAGE, PAGE))).containsExactly(0);
    assertThat(bits(report(all, 0, PAGE, PAGE))).containsExactly(0);
  }

  @Test
  void onlyWhatIsWatchedIsLogged() {
    DirtyLog some =
        new DirtyLog(gate, List.of(new Range(4 * PAGE, PAGE), new Range(8 * PAGE, 2 * PAGE)));
    some.written(0, 32 * PAGE);
    assertThat(bits(report(some, 0, 64 * PAGE, PAGE))).containsExactly(4, 8, 9);
    some.written(9 * PAGE + 5, 1);
    assertThat(bits(report(some, 0, 64 * PAGE, PAGE))).containsExactly(9);
    some.written(10 * PAGE, PAGE);
    some.written(0, PAGE);
    assertThat(bits(report(some, 0, 64 * PAGE, PAGE))).isEmpty();
  }

  @Test
  void tooManyPlacesGiveACoarserAnswerThatMissesNothing() {
    long apart = 16L << 20;
    DirtyLog some = new DirtyLog(gate, List.of(new Range(0, 2 * DirtyLog.MOST_CHUNKS * apart)));
    for (long i = 0; i <= DirtyLog.MOST_CHUNKS; i++) {
      some.written(i * apart, 1);
    }
    long last = DirtyLog.MOST_CHUNKS * apart;
    assertThat(bits(report(some, last, 8 * PAGE, PAGE))).hasSize(8);
    assertThat(bits(report(some, 2 * last, 8 * PAGE, PAGE))).as("not watched").isEmpty();
  }

  @Test
  void noWriteIsLostBetweenReports() throws Exception {
    int pages = 5000;
    BitSet seen = new BitSet();
    CountDownLatch done = new CountDownLatch(2);
    for (int writer = 0; writer < 2; writer++) {
      int first = writer;
      Thread.ofPlatform()
          .start(() -> {
            for (long page = first; page < pages; page += 2) {
              gate.enter();
              all.written(page * PAGE, PAGE);
              gate.exit();
            }
            done.countDown();
          });
    }
    while (!done.await(0, TimeUnit.SECONDS)) {
      seen.or(report(all, 0, pages * PAGE, PAGE));
    }
    seen.or(report(all, 0, pages * PAGE, PAGE));
    assertThat(seen.cardinality()).isEqualTo(pages);
  }
}
