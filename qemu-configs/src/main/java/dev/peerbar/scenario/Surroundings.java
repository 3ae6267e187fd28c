package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.CallRecord;
import dev.peerbar.lab.guest.GuestThread;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** What is to be seen around a scenario that fails. For any thread. */
final class Surroundings {
  /** How long a guest may take to say where its calls are: one that is stuck never will. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  private final BootedFixture<?> booted;
  private final DeviceMessages messages;
  private final long callsBefore;

  /** Of a scenario that begins now. */
  Surroundings(BootedFixture<?> booted, DeviceMessages messages) {
    this.booted = booted;
    this.messages = messages;
    messages.forget();
    List<CallRecord> calls = history();
    callsBefore = calls.isEmpty() ? 0 : calls.getLast().number();
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

  private List<String> hung() {
    if (history().stream().noneMatch(CallRecord::underWay)) {
      return List.of();
    }
    CompletableFuture<List<GuestThread>> threads = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            threads.complete(lab().guest().agent().underWay());
          } catch (IOException | RuntimeException e) {
            threads.completeExceptionally(e);
          }
        });
    try {
      return threads.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS).stream()
          .map(GuestThread::toString)
          .toList();
    } catch (TimeoutException e) {
      return List.of("the guest does not say where its calls are");
    } catch (ExecutionException e) {
      return List.of("the guest does not say where its calls are: " + e.getCause().getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return List.of();
    }
  }
}
