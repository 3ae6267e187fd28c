package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.server.ServerOptions;
import dev.peerbar.server.fixture.Wire;
import io.netty.channel.embedded.EmbeddedChannel;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a function's thread looks at before and after the function is stopped. */
final class ClosedFunctionTest {
  private final EmbeddedChannel channel = new EmbeddedChannel();
  private final AtomicBoolean hungUp = new AtomicBoolean();

  @BeforeEach
  void register() {
    channel.runPendingTasks();
  }

  @AfterEach
  void close() {
    channel.finishAndReleaseAll();
  }

  private ServedFunction function(boolean alwaysPolled) throws Exception {
    ServedFunction function =
        new ServedFunction(
            "closed",
            new HbmEndpoint(Wire.config(DoorbellMode.MAP), 1),
            channel.eventLoop(),
            ServerOptions.DMA_MAPS,
            alwaysPolled);
    function.clientCame(() -> hungUp.set(true));
    channel.runPendingTasks();
    return function;
  }

  private static void store(ServedFunction function) {
    function.memory(HbmRegisters.BAR).set(ValueLayout.JAVA_INT, HbmRegisters.doorbell(0), 1);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aDoorbellIsLookedAtWhileThereIsAClient(boolean alwaysPolled) throws Exception {
    try (ServedFunction function = function(alwaysPolled)) {
      FunctionPoller poller = function.poller().orElseThrow();
      store(function);
      assertThat(poller.active()).isTrue();
      assertThat(poller.rings()).isTrue();
      assertThat(poller.run()).isTrue();
      assertThat(poller.rings()).isFalse();
    }
  }

  /** Its work could not begin: engines have gone. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aDoorbellIsNotLookedAtOnceItIsStopped(boolean alwaysPolled) throws Exception {
    ServedFunction function = function(alwaysPolled);
    FunctionPoller poller = function.poller().orElseThrow();
    try {
      store(function);
      function.stop();
      assertThat(poller.active()).isFalse();
      // Whoever looks at memory just then still finds it.
      assertThat(poller.rings()).isTrue();
      assertThat(poller.run()).isFalse();
      assertThat(poller.rest()).isTrue();
      assertThat(poller.rings()).isTrue();
      channel.runPendingTasks();
      assertThat(hungUp).isFalse();
    } finally {
      function.free();
    }
  }
}
