package dev.peerbar.protocol.socket;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.UncheckedIOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A loop that looks for more than events, for as long as it is told to. */
@Timeout(120)
class PolledLoopTest {
  private static final long LIMIT_SECONDS = 30;

  /** For which times nothing of what must not happen does. */
  private static final long A_WHILE_MILLIS = 200;

  /** Runs in that time, on a busy machine too, and more than between two looks at the clock. */
  private static final long MANY = 50;

  private static final long BRIEFLY = 0;
  private static final long FOR_EVER = Long.MAX_VALUE;

  private final EventLoopGroup group = SocketEventLoop.group(new DefaultThreadFactory("loop"));
  private final SocketEventLoop loop = (SocketEventLoop) group.next();
  private final Watched poller = new Watched();

  @AfterEach
  void itEnds() throws InterruptedException {
    assertThat(group.shutdownGracefully(0, 10, TimeUnit.SECONDS).await(20, TimeUnit.SECONDS))
        .isTrue();
  }

  /** Does as it is told, and counts. */
  private static final class Watched implements Poller {
    private volatile boolean active = true;
    private volatile BooleanSupplier rings = () -> false;
    private volatile BooleanSupplier work = () -> false;
    private volatile BooleanSupplier mayRest = () -> true;
    private final AtomicLong looks = new AtomicLong();
    private final AtomicLong runs = new AtomicLong();
    private final Semaphore rests = new Semaphore(0);

    @Override
    public boolean active() {
      return active;
    }

    @Override
    public boolean rings() {
      looks.incrementAndGet();
      return rings.getAsBoolean();
    }

    @Override
    public boolean run() {
      runs.incrementAndGet();
      return work.getAsBoolean();
    }

    @Override
    public boolean rest() {
      boolean may = mayRest.getAsBoolean();
      rests.release();
      return may;
    }

    void awaitRest() throws InterruptedException {
      assertThat(rests.tryAcquire(LIMIT_SECONDS, TimeUnit.SECONDS)).as("it rests").isTrue();
    }
  }

  private void poll(long spinNanos) throws Exception {
    loop.submit(() -> loop.poll(poller, spinNanos)).get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  private Thread ownThread() throws Exception {
    return loop.submit(Thread::currentThread).get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  /** Until the loop has had its turn after all that was before. */
  private void turn() throws Exception {
    loop.submit(() -> true).get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  /** As long as nothing is to happen. */
  private void aWhile() throws Exception {
    loop.schedule(() -> true, A_WHILE_MILLIS, TimeUnit.MILLISECONDS)
        .get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  private static void await(CountDownLatch latch, String what) throws InterruptedException {
    assertThat(latch.await(LIMIT_SECONDS, TimeUnit.SECONDS)).as(what).isTrue();
  }

  /** Times at whose ends it goes to sleep just when something comes, too. */
  @ParameterizedTest
  @ValueSource(longs = {BRIEFLY, 1, 20_000, 100_000, FOR_EVER})
  void noTaskIsLost(long spinNanos) throws Exception {
    poll(spinNanos);
    for (int round = 0; round < 3_000; round++) {
      turn();
      for (int pause = round % 64 * 8; pause > 0; pause--) {
        Thread.onSpinWait();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {BRIEFLY, 1, 20_000, 100_000, FOR_EVER})
  void nothingThatRingsIsLost(long spinNanos) throws Exception {
    AtomicInteger rung = new AtomicInteger();
    AtomicInteger seen = new AtomicInteger();
    Semaphore done = new Semaphore(0);
    poller.rings = () -> rung.get() != seen.get();
    poller.work =
        () -> {
          if (rung.get() == seen.get()) {
            return false;
          }
          seen.set(rung.get());
          done.release();
          return true;
        };
    poll(spinNanos);
    for (int round = 0; round < 1_000; round++) {
      rung.incrementAndGet();
      assertThat(done.tryAcquire(LIMIT_SECONDS, TimeUnit.SECONDS)).as("round %d", round).isTrue();
      for (int pause = round % 64 * 8; pause > 0; pause--) {
        Thread.onSpinWait();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {BRIEFLY, FOR_EVER})
  void workWithoutAnEndKeepsNobodyOut(long spinNanos) throws Exception {
    poller.work = () -> true;
    poll(spinNanos);
    try (Event event = new Event()) {
      for (int visit = 0; visit < 100; visit++) {
        turn();
        loop.enter();
        loop.leave();
      }
      event.signal();
      await(event.heard, "the event");
      loop.schedule(() -> true, 1, TimeUnit.MILLISECONDS).get(LIMIT_SECONDS, TimeUnit.SECONDS);
    }
    poller.work = () -> false;
  }

  @ParameterizedTest
  @ValueSource(longs = {BRIEFLY, 100_000, FOR_EVER})
  void whatIsScheduledIsDone(long spinNanos) throws Exception {
    poll(spinNanos);
    loop.schedule(() -> {}, 1, TimeUnit.HOURS);
    turn();
    for (int round = 0; round < 20; round++) {
      CountDownLatch done = new CountDownLatch(2);
      loop.schedule(done::countDown, 1, TimeUnit.MILLISECONDS);
      loop.enter();
      loop.schedule(done::countDown, 1, TimeUnit.MILLISECONDS);
      loop.leave();
      await(done, "what was scheduled");
    }
  }

  /** An event descriptor that the loop watches. */
  private final class Event implements EventWatch.Listener, AutoCloseable {
    private final FileDescriptor descriptor = EventDescriptor.create();
    private final CountDownLatch heard = new CountDownLatch(1);
    private final Runnable told;
    private final EventWatch watch;

    Event() throws Exception {
      this(() -> {});
    }

    Event(Runnable told) throws Exception {
      this.told = told;
      watch =
          loop.submit(() -> EventWatch.begin(loop, descriptor, this))
              .get(LIMIT_SECONDS, TimeUnit.SECONDS);
    }

    void signal() throws Exception {
      EventDescriptor.signal(descriptor);
    }

    @Override
    public void readable() {
      try {
        EventDescriptor.read(descriptor);
      } catch (LinuxException e) {
        throw new UncheckedIOException(e);
      }
      told.run();
      heard.countDown();
    }

    @Override
    public void failed(Throwable cause) {
      throw new AssertionError(cause);
    }

    @Override
    public void close() {
      loop.submit(watch::close).syncUninterruptibly();
      descriptor.close();
    }
  }

  @Test
  void itNeverRestsIfItLooksForEver() throws Exception {
    poll(FOR_EVER);
    long before = poller.runs.get();
    aWhile();
    assertThat(poller.runs.get() - before).isGreaterThan(MANY);
    assertThat(poller.rests.availablePermits()).isZero();
  }

  @Test
  void itRestsOnceItHasLookedInVainForSoLong() throws Exception {
    poll(TimeUnit.MILLISECONDS.toNanos(20));
    poller.awaitRest();
    until("it only looks", () -> poller.looks.get() > 0);
    long runs = poller.runs.get();
    long looks = poller.looks.get();
    until("it still looks", () -> poller.looks.get() > looks + 10);
    assertThat(poller.runs.get()).isEqualTo(runs);
  }

  /** Waits for what no event tells. */
  private static void until(String what, BooleanSupplier holds) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
    while (!holds.getAsBoolean()) {
      assertThat(System.nanoTime() - end).as(what).isNegative();
      Thread.sleep(1);
    }
  }

  @Test
  void itDoesNotRestBeforeItMay() throws Exception {
    AtomicInteger refusals = new AtomicInteger(50);
    CountDownLatch refused = new CountDownLatch(50);
    CountDownLatch rested = new CountDownLatch(1);
    poller.mayRest =
        () -> {
          if (refusals.getAndDecrement() > 0) {
            refused.countDown();
            return false;
          }
          rested.countDown();
          return true;
        };
    poll(BRIEFLY);
    await(refused, "asked again and again");
    await(rested, "in the end");
  }

  @Test
  void itLooksLessAndLessOften() throws Exception {
    poll(BRIEFLY);
    poller.awaitRest();
    aWhile();
    long before = poller.looks.get();
    aWhile();
    assertThat(poller.looks.get() - before).isBetween(2L, 300L);
  }

  @ParameterizedTest
  @ValueSource(longs = {BRIEFLY, FOR_EVER})
  void itSleepsWhileThereIsNothingToLookFor(long spinNanos) throws Exception {
    poll(spinNanos);
    // Nobody wakes it for that.
    poller.active = false;
    AtomicLong looks = new AtomicLong();
    until(
        "it looks no more",
        () -> {
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(A_WHILE_MILLIS));
          long now = poller.looks.get() + poller.runs.get();
          return looks.getAndSet(now) == now;
        });
    CountDownLatch found = new CountDownLatch(1);
    poller.rings = () -> true;
    poller.work =
        () -> {
          found.countDown();
          return false;
        };
    poller.active = true;
    turn();
    await(found, "it looks again");
    poller.rings = () -> false;
  }

  @Test
  void aReceiverDoesWhatItHasBrought() throws Exception {
    poll(BRIEFLY);
    poller.awaitRest();
    turn();
    loop.enter();
    CountDownLatch here = new CountDownLatch(1);
    Thread receiver = Thread.currentThread();
    poller.work =
        () -> {
          if (Thread.currentThread() == receiver) {
            here.countDown();
          }
          return false;
        };
    loop.leave();
    assertThat(here.getCount()).as("before it goes").isZero();
  }

  @Test
  void aReceiverLeavesToTheLoopWhatTakesLonger() throws Exception {
    poll(BRIEFLY);
    poller.awaitRest();
    turn();
    CountDownLatch all = new CountDownLatch(1_000);
    AtomicInteger byOwnThread = new AtomicInteger();
    Thread own = ownThread();
    loop.enter();
    poller.work =
        () -> {
          all.countDown();
          if (Thread.currentThread() == own) {
            byOwnThread.incrementAndGet();
          }
          return all.getCount() > 0;
        };
    loop.leave();
    await(all, "the loop does the rest");
    assertThat(byOwnThread.get()).isGreaterThan(900);
  }

  /**
   * The loop's own thread need not look for what a receiver finds, and must not wait for its end.
   */
  @Test
  void aReceiverThatFindsMoreAndMoreKeepsNoEventBack() throws Exception {
    poll(BRIEFLY);
    AtomicInteger turns = new AtomicInteger();
    poller.work = () -> turns.incrementAndGet() % 2 == 1;
    try (Event event = new Event()) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
      for (int visit = 0; event.heard.getCount() > 0 && System.nanoTime() - end < 0; visit++) {
        loop.enter();
        loop.leave();
        if (visit == 1_000) {
          event.signal();
        }
      }
      assertThat(event.heard.getCount()).as("told of the event").isZero();
      poller.work = () -> false;
    }
  }

  /** A client that only asks has something to ask again soon. */
  @Test
  void whatComesOnASocketIsNotInVain() throws Exception {
    poll(TimeUnit.MILLISECONDS.toNanos(A_WHILE_MILLIS));
    AtomicLong runs = new AtomicLong();
    try (Event event =
        new Event(() -> {
          poller.rests.drainPermits();
          runs.set(poller.runs.get());
        })) {
      poller.awaitRest();
      until("it only looks", () -> poller.looks.get() > 0);
      event.signal();
      await(event.heard, "the event");
      poller.awaitRest();
      assertThat(poller.runs.get() - runs.get()).as("before it rests again").isGreaterThan(MANY);
    }
  }
}
