package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.fixture.Wire;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a function's thread still has to do when the function is closed. */
@Timeout(60)
final class ClosedFunctionTest {
  private static final int LIMIT_SECONDS = 20;

  /** A scan of memory that is no longer there would end the JVM. */
  @Test
  void aDoorbellThatWasSeenBeforeIsNotLookedAt() throws Exception {
    try (ScheduledThreadPoolExecutor thread = new ScheduledThreadPoolExecutor(1)) {
      ServedFunction function =
          new ServedFunction(
              "closed",
              new HbmEndpoint(Wire.config(DoorbellMode.MAP), 1),
              thread,
              ServerOptions.DMA_MAPS,
              false);
      CountDownLatch held = new CountDownLatch(1);
      thread.execute(() -> await(held));
      Future<?> closed = thread.submit(function::close);
      // Behind that.
      function.memory(HbmRegisters.BAR).set(ValueLayout.JAVA_INT, HbmRegisters.doorbell(0), 1);
      Wire.await("the doorbell to be seen", () -> thread.getQueue().size() == 2);
      held.countDown();
      closed.get(LIMIT_SECONDS, TimeUnit.SECONDS);
      thread.submit(() -> {}).get(LIMIT_SECONDS, TimeUnit.SECONDS);
      assertThat(thread.getQueue()).isEmpty();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
