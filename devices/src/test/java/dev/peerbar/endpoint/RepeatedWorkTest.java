package dev.peerbar.endpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Work that is asked for more often than it is done. */
@Timeout(60)
final class RepeatedWorkTest {
  private final Endpoint endpoint = mock(Endpoint.class);
  private final List<String> done = new ArrayList<>();
  private final List<Throwable> told = new ArrayList<>();
  private FakeHost host;
  private Engine engine;
  private int asked;

  @BeforeEach
  void start() {
    when(endpoint.function())
        .thenReturn(PciFunction.builder().identity(0x1234, 1).classCode(0).build());
    host = new FakeHost(endpoint);
    engine = host.engine("work");
  }

  private void run(Job job) throws JobEndedException {
    int upTo = asked;
    job.update(() -> done.add("up to " + upTo));
  }

  @Test
  void oneRunStandsForAllThatWasAskedBefore() {
    RepeatedWork work = engine.repeated(this::run, told::add);
    for (int i = 0; i < 1000; i++) {
      asked++;
      work.request();
      assertThat(host.jobsWaiting()).isOne();
    }
    host.settle();
    assertThat(done).containsExactly("up to 1000");
    asked++;
    work.request();
    host.settle();
    assertThat(done).containsExactly("up to 1000", "up to 1001");
  }

  @Test
  void whatIsAskedDuringARunHasAnotherFollow() {
    RepeatedWork[] work = new RepeatedWork[1];
    work[0] =
        engine.repeated(
            job -> {
              if (asked < 5) {
                asked++;
                work[0].request();
                work[0].request();
              }
              run(job);
            },
            told::add);
    work[0].request();
    host.settle();
    assertThat(done)
        .containsExactly("up to 1", "up to 2", "up to 3", "up to 4", "up to 5", "up to 5");
  }

  @Test
  void afterAResetItCanBeAskedForAgain() {
    RepeatedWork work = engine.repeated(this::run, told::add);
    work.request();
    host.reset(ResetKind.FUNCTION_LEVEL);
    work.request();
    host.settle();
    assertThat(done).hasSize(1);
  }

  @Test
  void endEndsTheRunThatWaits() {
    RepeatedWork work = engine.repeated(this::run, told::add);
    work.end();
    work.request();
    work.end();
    host.settle();
    assertThat(done).isEmpty();
    work.request();
    host.settle();
    assertThat(done).hasSize(1);
  }

  @Test
  void endEndsTheRunThatIsUnderWayAndTheOneBehindIt() {
    RepeatedWork[] work = new RepeatedWork[1];
    work[0] =
        engine.repeated(
            job -> {
              work[0].request();
              work[0].end();
              run(job);
            },
            told::add);
    work[0].request();
    host.settle();
    assertThat(done).isEmpty();
    assertThat(host.journal()).containsExactly("ended");
  }

  @Test
  void aRunThatThrewIsToldAndTheNextOneRuns() {
    RepeatedWork work =
        engine.repeated(
            job -> {
              if (asked == 0) {
                throw new IllegalStateException("broken");
              }
              run(job);
            },
            told::add);
    work.request();
    host.settle();
    assertThat(told).hasSize(1);
    asked = 1;
    work.request();
    host.settle();
    assertThat(done).containsExactly("up to 1");
  }

  @Test
  void whatCouldNotBeginIsToldAndCanBeAskedForAgain() {
    List<Engine.Work> submitted = new ArrayList<>();
    RepeatedWork work =
        new RepeatedWork(
            (job, failed) -> {
              submitted.add(job);
              failed.accept(new OutOfMemoryError("no thread"));
              return mock(Engine.Ticket.class);
            },
            this::run,
            told::add);
    work.request();
    work.request();
    assertThat(told).hasSize(2);
    assertThat(submitted).hasSize(2);
  }

  /** What was written before the last request is seen by a run, on a thread of its own. */
  @Test
  void noRequestIsLost() throws Exception {
    int requests = 200_000;
    AtomicInteger most = new AtomicInteger();
    AtomicInteger waiting = new AtomicInteger();
    int[] written = new int[1];
    CountDownLatch sawAll = new CountDownLatch(1);
    try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
      RepeatedWork work =
          new RepeatedWork(
              (job, failed) -> {
                most.accumulateAndGet(waiting.incrementAndGet(), Math::max);
                thread.execute(() -> {
                  waiting.decrementAndGet();
                  try {
                    job.run(mock(Job.class));
                  } catch (JobEndedException e) {
                    failed.accept(e);
                  }
                });
                return new Engine.Ticket() {
                  @Override
                  public void end() {}

                  @Override
                  public boolean ended() {
                    return false;
                  }
                };
              },
              _ -> {
                if (written[0] == requests) {
                  sawAll.countDown();
                }
              },
              told::add);
      for (int i = 1; i <= requests; i++) {
        written[0] = i;
        work.request();
      }
      assertThat(sawAll.await(30, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(most).as("runs that waited at once").hasValueLessThanOrEqualTo(2);
    assertThat(told).isEmpty();
  }
}
