package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.Mockito.mock;

import dev.peerbar.endpoint.Engine;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.EngineName;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of work that throws. The test is the function's thread. */
@Timeout(60)
final class SerialEngineTest {
  private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(20);

  private final Queue<Runnable> turns = new ArrayDeque<>();
  private final List<Throwable> told = new ArrayList<>();
  private final List<String> journal = new ArrayList<>();
  private boolean threads = true;
  private final SerialEngine engine =
      engine(work -> {
        if (!threads) {
          throw new OutOfMemoryError("unable to create native thread");
        }
        return Thread.ofPlatform().daemon().unstarted(work);
      });

  private SerialEngine engine(ThreadFactory factory) {
    BusMaster bus = new BusMaster(this::post, 1);
    return new SerialEngine(
        new EngineName("test", "engine"),
        bus,
        mock(InterruptTable.class),
        this::post,
        new PolledJobs(Engine.Polling.NEVER),
        factory);
  }

  private void post(Runnable turn) {
    synchronized (turns) {
      turns.add(turn);
    }
  }

  private Runnable nextTurn() {
    synchronized (turns) {
      return turns.poll();
    }
  }

  /** Until the engine has nothing to do and has told all that there is. */
  private void settle() {
    assertThat(engine.awaitIdle(System.nanoTime() + LIMIT_NANOS)).as("work ends").isTrue();
    // The work has been left before its last turn is given.
    Engine.Ticket barrier = engine.submit(_ -> {});
    assertThat(engine.awaitIdle(System.nanoTime() + LIMIT_NANOS)).isTrue();
    barrier.end();
    for (Runnable turn = nextTurn(); turn != null; turn = nextTurn()) {
      turn.run();
    }
  }

  @AfterEach
  void stop() {
    engine.endAll();
    engine.shutDown();
  }

  static Stream<Throwable> whatIsThrown() {
    return Stream.of(
        new IllegalStateException("broken"),
        new OutOfMemoryError(),
        new StackOverflowError(),
        new Exception("checked, and thrown all the same"));
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> void raise(Throwable thrown) throws T {
    throw (T) thrown;
  }

  @ParameterizedTest
  @MethodSource("whatIsThrown")
  void theEndpointIsToldAfterTheUpdates(Throwable thrown) {
    engine.submit(
        job -> {
          job.update(() -> journal.add("updated"));
          SerialEngineTest.<RuntimeException>raise(thrown);
        },
        cause -> {
          journal.add("told");
          told.add(cause);
        });
    settle();
    assertThat(journal).containsExactly("updated", "told");
    assertThat(told).containsExactly(thrown);
    assertThat(engine.endAll()).as("jobs that are not over").isZero();
  }

  @Test
  void theEngineGoesOn() {
    engine.submit(job -> raiseRuntime(), told::add);
    engine.submit(job -> job.update(() -> journal.add("next")), told::add);
    settle();
    assertThat(told).hasSize(1);
    assertThat(journal).containsExactly("next");
  }

  private static void raiseRuntime() {
    throw new IllegalStateException("broken");
  }

  @ParameterizedTest
  @MethodSource("whatIsThrown")
  void anUpdateThatThrowsIsToldOnce(Throwable thrown) {
    engine.submit(
        job -> {
          job.update(() -> SerialEngineTest.<RuntimeException>raise(thrown));
          job.update(() -> journal.add("updated"));
          raiseRuntime();
        },
        told::add);
    settle();
    assertThat(told).containsExactly(thrown);
    assertThat(journal).containsExactly("updated");
  }

  /** The host hangs up on the client when something on the function's thread throws. */
  @Test
  void workWithoutAnErrorOfTheEndpointFailsTheFunctionsThread() {
    engine.submit(job -> raiseRuntime());
    engine.submit(job -> job.update(SerialEngineTest::raiseRuntime));
    assertThat(engine.awaitIdle(System.nanoTime() + LIMIT_NANOS)).as("work ends").isTrue();
    int failed = 0;
    for (Runnable turn = nextTurn(); turn != null; turn = nextTurn()) {
      try {
        turn.run();
      } catch (IllegalStateException e) {
        assertThat(e).hasRootCauseMessage("broken");
        failed++;
      }
    }
    assertThat(failed).isEqualTo(2);
  }

  @Test
  void nothingIsToldOfAJobThatWasEnded() {
    Engine.Ticket ticket = engine.submit(job -> raiseRuntime(), told::add);
    assertThat(engine.awaitIdle(System.nanoTime() + LIMIT_NANOS)).isTrue();
    ticket.end();
    settle();
    assertThat(told).isEmpty();
  }

  @Test
  void nothingIsToldAfterAReset() {
    engine.submit(
        job -> {
          job.update(SerialEngineTest::raiseRuntime);
          raiseRuntime();
        },
        told::add);
    assertThat(engine.awaitIdle(System.nanoTime() + LIMIT_NANOS)).isTrue();
    engine.endAll();
    settle();
    assertThat(told).isEmpty();
  }

  @Test
  void workForWhichThereIsNoThreadHasFailed() {
    threads = false;
    engine.submit(job -> journal.add("ran"), told::add);
    for (Runnable turn = nextTurn(); turn != null; turn = nextTurn()) {
      turn.run();
    }
    assertThat(told).hasSize(1).first().isInstanceOf(OutOfMemoryError.class);
    threads = true;
    engine.submit(job -> journal.add("next"), told::add);
    settle();
    assertThat(journal).containsExactly("next");
    assertThat(told).hasSize(1);
  }

  /** What a driver does that begins and ends work again and again, while the engine is held up. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void workThatWasEndedBeforeItBeganDoesNotWait(boolean byReset) throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch leave = new CountDownLatch(1);
    engine.submit(_ -> {
      begun.countDown();
      awaitQuietly(leave);
    });
    assertThat(begun.await(LIMIT_NANOS, TimeUnit.NANOSECONDS)).isTrue();
    for (int i = 0; i < 1000; i++) {
      Engine.Ticket ticket = engine.submit(_ -> journal.add("run"));
      assertThat(engine.waiting()).isOne();
      assertThat(ticket.ended()).isFalse();
      if (byReset) {
        engine.endAll();
      } else {
        ticket.end();
      }
      assertThat(ticket.ended()).isTrue();
      assertThat(engine.waiting()).isZero();
    }
    leave.countDown();
    settle();
    assertThat(journal).isEmpty();
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      assertThat(latch.await(LIMIT_NANOS, TimeUnit.NANOSECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
