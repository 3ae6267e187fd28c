package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class GateTest {
  private static final int CHANGES = 20_000;

  private final Gate gate = new Gate();

  // Changed together, not volatile: the gate alone keeps steps from seeing one without the other.
  private long one;
  private long two;

  @Test
  void stepsSeeAllOfAChangeOrNothing() throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    AtomicInteger halves = new AtomicInteger();
    List<Thread> engines = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      engines.add(
          Thread.ofPlatform()
              .start(() -> {
                while (!over.get()) {
                  gate.enter();
                  if (one != two) {
                    halves.incrementAndGet();
                  }
                  gate.exit();
                }
              }));
    }
    for (int i = 0; i < CHANGES; i++) {
      gate.exclusively(() -> {
        one++;
        two++;
      });
    }
    over.set(true);
    for (Thread engine : engines) {
      engine.join();
    }
    assertThat(halves).hasValue(0);
    assertThat(two).isEqualTo(CHANGES);
  }

  /** Sleeps as long as it takes: the step is not over soon. */
  @Test
  void aChangeWaitsForTheStepInFlight() throws Exception {
    gate.enter();
    AtomicBoolean left = new AtomicBoolean();
    AtomicBoolean early = new AtomicBoolean();
    Thread change = Thread.ofPlatform().start(() -> gate.exclusively(() -> early.set(!left.get())));
    while (change.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    left.set(true);
    gate.exit();
    change.join();
    assertThat(early).isFalse();
  }

  @Test
  void aStepWaitsForTheChangeThatWaits() throws Exception {
    gate.enter();
    CountDownLatch made = new CountDownLatch(1);
    Thread change = Thread.ofPlatform().start(() -> gate.exclusively(made::countDown));
    while (change.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
    AtomicBoolean early = new AtomicBoolean();
    Thread step =
        Thread.ofPlatform()
            .start(() -> {
              gate.enter();
              early.set(made.getCount() > 0);
              gate.exit();
            });
    while (step.getState() != Thread.State.BLOCKED) {
      Thread.onSpinWait();
    }
    gate.exit();
    step.join();
    change.join();
    assertThat(early).isFalse();
  }

  @Test
  void isOpenAfterAChangeThatFailed() {
    try {
      gate.exclusively(() -> {
        throw new IllegalStateException();
      });
    } catch (IllegalStateException expected) {
      // As it should.
    }
    gate.enter();
    gate.exit();
    gate.drain();
  }
}
