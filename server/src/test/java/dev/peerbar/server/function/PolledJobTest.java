package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.verifyNoMoreInteractions;
import static org.mockito.Mockito.when;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Engine.Polling;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import dev.peerbar.pci.Bar;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.EngineName;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Work that is looked for, and what becomes of it. The test is the function's thread. */
final class PolledJobTest {
  private final Queue<Runnable> turns = new ArrayDeque<>();
  private final List<Object> journal = new ArrayList<>();
  private final List<Throwable> failures = new ArrayList<>();
  private final InterruptTable interrupts = mock(InterruptTable.class);
  private final PolledJobs jobs = new PolledJobs(Polling.ALWAYS);
  private final SerialEngine engine =
      new SerialEngine(
          new EngineName("test", "engine"),
          new BusMaster(turns::add, 1),
          interrupts,
          turns::add,
          jobs,
          work -> Thread.ofPlatform().daemon().unstarted(work));

  /** Work as a test has it. */
  private interface Work extends Engine.Polled {
    boolean run(Job job) throws JobEndedException;

    @Override
    default boolean poll(Job job) throws JobEndedException {
      return run(job);
    }
  }

  private Engine.Ticket begin(Work work) {
    return engine.poll(work, journal::add);
  }

  private void settle() {
    for (Runnable turn = turns.poll(); turn != null; turn = turns.poll()) {
      turn.run();
    }
  }

  @Test
  void eachHasATurnAndOneThatHasWorkIsEnough() {
    begin(_ -> journal.add("first"));
    begin(_ -> {
      journal.add("second");
      return false;
    });
    assertThat(jobs.poll()).isTrue();
    assertThat(journal).containsExactly("first", "second");
  }

  @Test
  void withoutWorkThereIsNone() {
    assertThat(jobs.poll()).isFalse();
    begin(_ -> false);
    assertThat(jobs.poll()).isFalse();
    assertThat(jobs.rest()).isTrue();
  }

  @Test
  void allHaveToAgreeToARest() {
    boolean[] may = {false};
    begin(_ -> false);
    engine.poll(
        new Engine.Polled() {
          @Override
          public boolean poll(Job job) {
            return false;
          }

          @Override
          public boolean rest(Job job) {
            return may[0];
          }
        },
        journal::add);
    assertThat(jobs.rest()).isFalse();
    may[0] = true;
    assertThat(jobs.rest()).isTrue();
  }

  @Test
  void whatHasEndedIsNotLookedAt() {
    Engine.Ticket ticket = begin(_ -> journal.add("run"));
    assertThat(ticket.ended()).isFalse();
    ticket.end();
    ticket.end();
    assertThat(ticket.ended()).isTrue();
    assertThat(jobs.poll()).isFalse();
    assertThat(jobs.rest()).isTrue();
    assertThat(journal).isEmpty();
  }

  @Test
  void oneMayEndOthersAndBeginSome() {
    Engine.Ticket[] other = new Engine.Ticket[1];
    begin(_ -> {
      journal.add("first");
      other[0].end();
      begin(_ -> journal.add("third"));
      return false;
    });
    other[0] = begin(_ -> journal.add("second"));
    assertThat(jobs.poll()).as("not before the next time").isFalse();
    assertThat(journal).containsExactly("first");
    assertThat(jobs.poll()).isTrue();
    assertThat(journal).containsExactly("first", "first", "third");
  }

  @Test
  void allEnd() {
    List<Engine.Ticket> tickets =
        List.of(begin(_ -> journal.add("a")), begin(_ -> journal.add("b")));
    jobs.endAll();
    assertThat(tickets).allMatch(Engine.Ticket::ended);
    assertThat(jobs.poll()).isFalse();
    assertThat(journal).isEmpty();
  }

  @Test
  void whatItThrowsIsToldOnceAfterItsUpdates() {
    IllegalStateException broken = new IllegalStateException("broken");
    Engine.Ticket ticket =
        begin(job -> {
          job.update(() -> journal.add("update"));
          throw broken;
        });
    assertThat(jobs.poll()).isTrue();
    assertThat(jobs.poll()).as("looked at again").isFalse();
    assertThat(journal).isEmpty();
    settle();
    assertThat(journal).containsExactly("update", broken);
    assertThat(ticket.ended()).isTrue();
    assertThat(failures).isEmpty();
  }

  @Test
  void anErrorIsToldAsWell() {
    Error broken = new OutOfMemoryError("broken");
    begin(_ -> {
      throw broken;
    });
    jobs.poll();
    settle();
    assertThat(journal).containsExactly(broken);
  }

  @Test
  void whatItThrewBeforeItWasEndedIsNotTold() {
    Engine.Ticket ticket =
        begin(_ -> {
          throw new IllegalStateException("broken");
        });
    jobs.poll();
    ticket.end();
    settle();
    assertThat(journal).isEmpty();
  }

  @Test
  void whatAnUpdateThrowsIsToldOnce() {
    IllegalStateException first = new IllegalStateException("first");
    begin(job -> {
      job.update(() -> {
        throw first;
      });
      job.update(() -> {
        throw new IllegalStateException("second");
      });
      return true;
    });
    jobs.poll();
    settle();
    assertThat(journal).containsExactly(first);
    assertThat(jobs.poll()).isFalse();
  }

  @Test
  void anUpdateOfOneThatHasEndedDoesNotRun() {
    Engine.Ticket ticket =
        begin(job -> {
          job.update(() -> journal.add("update"));
          return true;
        });
    jobs.poll();
    ticket.end();
    settle();
    assertThat(journal).isEmpty();
  }

  /** It says that something must wait, and hands it over to nobody: it would be tried for ever. */
  @Test
  void whoeverMustWaitHasToHandOver() {
    begin(_ -> {
      throw MustWaitException.INSTANCE;
    });
    jobs.poll();
    settle();
    assertThat(journal)
        .singleElement()
        .satisfies(told ->
            assertThat((Throwable) told)
                .isInstanceOf(IllegalStateException.class)
                .hasCause(MustWaitException.INSTANCE));
  }

  @Test
  void anEndAmidItsWorkIsNoFailure() {
    Engine.Ticket[] ticket = new Engine.Ticket[1];
    ticket[0] =
        begin(job -> {
          ticket[0].end();
          try {
            job.dma().read(0, MemorySegment.ofArray(new byte[8]));
          } catch (DmaFaultException e) {
            throw new AssertionError(e);
          }
          return false;
        });
    assertThat(jobs.poll()).isTrue();
    settle();
    assertThat(journal).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aRestThatThrowsIsTold(boolean mustWait) {
    engine.poll(
        new Engine.Polled() {
          @Override
          public boolean poll(Job job) {
            return false;
          }

          @Override
          public boolean rest(Job job) throws JobEndedException {
            if (mustWait) {
              throw MustWaitException.INSTANCE;
            }
            throw new IllegalStateException("broken");
          }
        },
        journal::add);
    assertThat(jobs.rest()).isFalse();
    settle();
    assertThat(journal).singleElement().isInstanceOf(IllegalStateException.class);
    assertThat(jobs.rest()).isTrue();
  }

  @Test
  void interruptsAreRaisedAtOnce() throws Exception {
    when(interrupts.signalAtOnce(anyInt())).thenAnswer(call -> (int) call.getArgument(0) == 1);
    begin(job -> {
      job.raise(1);
      job.raise(2);
      return true;
    });
    jobs.poll();
    verify(interrupts).signalAtOnce(1);
    verify(interrupts).signalAtOnce(2);
    verify(interrupts).raise(2);
    verifyNoMoreInteractions(interrupts);
    assertThat(turns).as("what is left for later").isEmpty();
  }

  @Test
  void oneThatHasEndedInterruptsNoMore() {
    Job[] kept = new Job[1];
    Engine.Ticket ticket =
        begin(job -> {
          kept[0] = job;
          return true;
        });
    jobs.poll();
    ticket.end();
    assertThatExceptionOfType(JobEndedException.class).isThrownBy(() -> kept[0].raise(1));
    assertThatExceptionOfType(JobEndedException.class)
        .isThrownBy(() -> kept[0].update(() -> journal.add("update")));
    verifyNoMoreInteractions(interrupts);
  }

  // What the function's thread does with all of them.

  private DoorbellPage page() throws Exception {
    return new DoorbellPage(
        new SharedBar("polled-job-test", 0x2000),
        new Bar.Doorbells(0x1000, 0x1000, 4, 4),
        (offset, value) -> {
          journal.add(offset);
          if (value < 0) {
            throw new IllegalStateException("broken");
          }
        });
  }

  /** Of a function that has a client. */
  private FunctionPoller polled(List<DoorbellPage> pages) {
    FunctionPoller poller = new FunctionPoller(pages, jobs, failures::add);
    poller.clientCame();
    return poller;
  }

  @Test
  void doorbellsRingAndWorkIsDoneInOneTurn() throws Exception {
    DoorbellPage first = page();
    DoorbellPage second = page();
    FunctionPoller poller = polled(List.of(first, second));
    begin(_ -> journal.add("work"));
    assertThat(poller.rings()).isFalse();
    second.memory().set(ValueLayout.JAVA_INT, 0x1004, 1);
    assertThat(poller.rings()).isTrue();
    assertThat(poller.run()).isTrue();
    assertThat(journal).containsExactly(0x1004L, "work");
    assertThat(poller.rings()).isFalse();
  }

  @Test
  void aDoorbellAloneIsWorkAndSoIsAJob() throws Exception {
    DoorbellPage page = page();
    FunctionPoller poller = polled(List.of(page, page()));
    assertThat(poller.run()).isFalse();
    page.memory().set(ValueLayout.JAVA_INT, 0x1000, 1);
    assertThat(poller.run()).isTrue();
    assertThat(poller.run()).isFalse();
    begin(_ -> true);
    assertThat(poller.run()).isTrue();
  }

  @Test
  void aDoorbellThatFailsKeepsNothingElseBack() throws Exception {
    DoorbellPage broken = page();
    DoorbellPage page = page();
    FunctionPoller poller = polled(List.of(broken, page));
    begin(_ -> {
      journal.add("work");
      return false;
    });
    broken.memory().set(ValueLayout.JAVA_INT, 0x1000, -1);
    page.memory().set(ValueLayout.JAVA_INT, 0x1008, 1);
    assertThat(poller.run()).as("there is more").isTrue();
    assertThat(failures).hasSize(1);
    assertThat(journal).containsExactly(0x1000L, "work");
    assertThat(poller.run()).isTrue();
    assertThat(journal).containsExactly(0x1000L, "work", 0x1008L, "work");
    assertThat(poller.run()).isFalse();
    assertThat(failures).hasSize(1);
  }

  @Test
  void itLooksWhileThereIsAClientAndUntilNothingIsLeft() {
    FunctionPoller poller = new FunctionPoller(List.of(), jobs, failures::add);
    assertThat(poller.active()).isFalse();
    poller.clientGone();
    assertThat(poller.active()).as("there was none").isFalse();
    poller.clientCame();
    assertThat(poller.active()).isTrue();
    boolean[] more = {true};
    begin(_ -> more[0]);
    poller.clientGone();
    poller.run();
    assertThat(poller.active()).as("there is more to do").isTrue();
    more[0] = false;
    poller.run();
    assertThat(poller.active()).isFalse();
    poller.clientCame();
    poller.stop();
    assertThat(poller.active()).isFalse();
  }
}
