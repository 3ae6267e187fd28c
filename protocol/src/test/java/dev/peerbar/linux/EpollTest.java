package dev.peerbar.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Waits that are told in nanoseconds, with the system call for them and without. */
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EpollTest {
  private static final long TAG = 0x1234_5678_9ABC_DEF0L;
  private static final long LONG = TimeUnit.SECONDS.toNanos(20);
  private static final long MILLI = TimeUnit.MILLISECONDS.toNanos(1);

  private Epoll epoll;
  private FileDescriptor event;

  @BeforeEach
  void open() throws Exception {
    epoll = new Epoll(4);
    event = EventDescriptor.create();
    epoll.add(event, Epoll.IN, TAG);
  }

  @AfterEach
  void close() {
    epoll.close();
    event.close();
  }

  private int await(long nanoseconds, boolean fine) {
    try {
      return epoll.awaitNanos(nanoseconds, fine);
    } catch (LinuxException e) {
      throw new AssertionError(e);
    }
  }

  /** Waits, and says how long that took. */
  private long timeOf(long nanoseconds, boolean fine) {
    long before = System.nanoTime();
    assertThat(await(nanoseconds, fine)).isZero();
    return System.nanoTime() - before;
  }

  @ParameterizedTest
  @CsvSource({"20000000000, true", "20000000000, false", "-1, true", "-1, false", "0, true"})
  void tellsWhatHasHappened(long nanoseconds, boolean fine) throws Exception {
    EventDescriptor.signal(event);
    assertThat(await(nanoseconds, fine)).isOne();
    assertThat(epoll.tag(0)).isEqualTo(TAG);
    assertThat(epoll.events(0)).isEqualTo(Epoll.IN);
  }

  @ParameterizedTest
  @CsvSource({"20000000000, true", "20000000000, false", "-1, true", "-1, false"})
  void anEventEndsTheWait(long nanoseconds, boolean fine) throws Exception {
    long before = System.nanoTime();
    CompletableFuture<Thread> waiter = new CompletableFuture<>();
    CompletableFuture<Integer> count =
        CompletableFuture.supplyAsync(() -> {
          waiter.complete(Thread.currentThread());
          return await(nanoseconds, fine);
        });
    waiter.get();
    EventDescriptor.signal(event);
    assertThat(count.get(20, TimeUnit.SECONDS)).isOne();
    assertThat(System.nanoTime() - before).isLessThan(LONG);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theTimeEndsTheWait(boolean fine) {
    assertThat(timeOf(MILLI / 4, fine)).isGreaterThanOrEqualTo(MILLI / 4);
    assertThat(timeOf(MILLI + 1, fine)).isGreaterThanOrEqualTo(MILLI + 1);
    assertThat(timeOf(3 * MILLI, fine)).isGreaterThanOrEqualTo(3 * MILLI);
  }

  @Test
  void waitsForLessThanAMillisecond() throws Exception {
    // Whoever builds this has Linux 5.11. Others may keep the processor from us now and then.
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 1000 && least >= MILLI; i++) {
      long before = System.nanoTime();
      assertThat(epoll.awaitNanos(MILLI / 10)).isZero();
      least = Math.min(least, System.nanoTime() - before);
    }
    assertThat(least).isBetween(MILLI / 10, MILLI - 1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aClosedOneFails(boolean fine) {
    epoll.close();
    assertThatThrownBy(() -> epoll.awaitNanos(LONG, fine))
        .isInstanceOfSatisfying(
            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EBADF));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void noTimeIsNoWait(boolean fine) {
    assertThat(timeOf(0, fine)).isLessThan(LONG);
  }

  @Test
  void roundsUpWhereItCanOnlyWaitForMilliseconds() {
    assertThat(timeOf(1, false)).isGreaterThanOrEqualTo(MILLI);
  }
}
