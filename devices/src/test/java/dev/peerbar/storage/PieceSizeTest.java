package dev.peerbar.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.LongUnaryOperator;
import org.junit.jupiter.api.Test;

final class PieceSizeTest {
  private static final long TIB = 1L << 40;
  private static final long MILLI = 1_000_000;

  private final PieceSize step = new PieceSize();

  /** Goes through a range, by what a step takes; returns the longest time of one. */
  private long longest(long position, long length, LongUnaryOperator nanos) {
    long longest = 0;
    for (long done = 0; done < length; ) {
      long count = step.next(position + done, length - done);
      assertThat(count).isPositive();
      done += count;
      if (done < length) {
        assertThat((position + done) % Storage.ATOMIC_BLOCK).isZero();
      }
      long took = nanos.applyAsLong(count);
      longest = Math.max(longest, took);
      step.took(count, took);
    }
    return longest;
  }

  @Test
  void whatCostsNothingIsDoneInFewSteps() {
    int[] steps = new int[1];
    longest(
        512,
        15 * TIB,
        _ -> {
          steps[0]++;
          return 4_000;
        });
    assertThat(steps[0]).isLessThan(5_000);
  }

  /** A gigabyte a second: nobody waits much longer for what has 100 GiB to go. */
  @Test
  void whatCostsItsLengthIsDoneInShortSteps() {
    assertThat(longest(0, 100L << 30, count -> count)).isLessThan(50 * MILLI);
  }

  /** Where something is after nothing, one step finds out. */
  @Test
  void oneStepIsEnoughToLearn() {
    longest(0, TIB, _ -> 4_000);
    long first = step.next(0, TIB);
    step.took(first, first);
    for (int i = 0; i < 20; i++) {
      long next = step.next(0, TIB);
      step.took(next, next);
    }
    assertThat(longest(0, 10L << 30, count -> count)).isLessThan(50 * MILLI);
  }

  @Test
  void theSmallestStepIsNotTooSmall() {
    for (int i = 0; i < 100; i++) {
      step.took(step.next(0, TIB), 1000 * MILLI);
    }
    assertThat(step.next(0, TIB)).isEqualTo(2L << 20);
    assertThat(step.next(512, TIB)).isEqualTo((2L << 20) - 512);
    assertThat(step.next(512, 512)).isEqualTo(512);
  }
}
