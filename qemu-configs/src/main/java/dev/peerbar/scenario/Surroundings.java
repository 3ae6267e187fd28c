package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.CallRecord;
import dev.peerbar.lab.guest.CallRun;
import dev.peerbar.lab.guest.GuestAgent;
import dev.peerbar.lab.guest.GuestThread;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What is to be seen around a scenario that fails. For any thread. */
final class Surroundings {
  /** How long a guest may take to say what is wrong: one that is stuck never will. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final BootedFixture<?> booted;
  private final DeviceMessages messages;
  private final long callsBefore;
  private long start;

  /** Of a scenario that begins now. */
  Surroundings(BootedFixture<?> booted, DeviceMessages messages) {
    this.booted = booted;
    this.messages = messages;
    messages.forget();
    List<CallRecord> calls = history();
    callsBefore = calls.isEmpty() ? 0 : calls.getLast().number();
    begin();
  }

  /** The timeline begins now: what was before is of no interest any more. */
  synchronized void begin() {
    start = System.nanoTime();
    messages.forgetTimeline();
    lab().guest().agent().track();
  }

  private Lab lab() {
    return booted.fixture().lab();
  }

  private List<CallRecord> history() {
    return lab().guest().agent().history();
  }

  /** As it is now. */
  Evidence look() {
    List<String> messagesNow = messages.lines();
    List<String> calls =
        history().stream().filter(c -> c.number() > callsBefore).map(CallRecord::toString).toList();
    return new Evidence(calls, hung(), messagesNow, booted.logs());
  }

  /**
   * What has happened since the timeline began.
   *
   * @param thread of the scenario: that a call is another's is said
   */
  synchronized Timeline timeline(String thread) {
    Timeline endpoints = messages.timeline(start);
    GuestAgent agent = lab().guest().agent();
    List<Timeline.Event> events = new ArrayList<>(endpoints.events());
    agent.tracked().forEach(run -> events.add(event(run, thread)));
    return Timeline.of(events, endpoints.dropped() + agent.untracked());
  }

  private Timeline.Event event(CallRun run, String thread) {
    return new Timeline.Event(
        Timeline.GUEST,
        Timeline.Kind.CALL,
        Duration.ofNanos(run.began() - start),
        Duration.ofNanos(run.ended() - run.began()),
        run.times(),
        run.failed(),
        (run.thread().equals(thread) ? "" : "[%s] ".formatted(run.thread())) + run.words());
  }

  private List<String> hung() {
    if (history().stream().noneMatch(CallRecord::underWay)) {
      return List.of();
    }
    try {
      return asked(() -> lab().guest().agent().underWay()).stream()
          .map(GuestThread::toString)
          .toList();
    } catch (IOException e) {
      return List.of("the guest does not say where its calls are: " + e.getMessage());
    }
  }

  /**
   * What a guest answers that may be stuck.
   *
   * @throws IOException if it does not, or this thread is interrupted
   */
  static <T> T asked(Callable<T> question) throws IOException {
    CompletableFuture<T> answer = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            answer.complete(question.call());
          } catch (Exception e) {
            answer.completeExceptionally(e);
          }
        });
    try {
      return answer.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new IOException("no answer in %d s".formatted(PATIENCE.toSeconds()), e);
    } catch (ExecutionException e) {
      throw new IOException(e.getCause().getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted");
    }
  }
}
