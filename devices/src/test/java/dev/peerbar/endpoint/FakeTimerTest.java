package dev.peerbar.endpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Timers, and the interrupts that a client is told of itself, in a test's own time. */
final class FakeTimerTest {
  private final Endpoint endpoint = mock(Migratable.class);
  private final List<String> happened = new ArrayList<>();
  private FakeHost host;

  @BeforeEach
  void start() {
    when(endpoint.function())
        .thenReturn(PciFunction.builder().identity(0x1234, 1).classCode(0).build());
    host = new FakeHost(endpoint);
  }

  private static Duration ms(long milliseconds) {
    return Duration.ofMillis(milliseconds);
  }

  @Test
  void happensOnceInItsTime() {
    Timer timer = host.timer(() -> happened.add("once"));
    assertThat(timer.armed()).isFalse();
    timer.arm(ms(10));
    host.advance(ms(9));
    assertThat(happened).isEmpty();
    assertThat(timer.armed()).isTrue();
    host.advance(ms(1));
    assertThat(happened).containsExactly("once");
    assertThat(timer.armed()).isFalse();
    host.advance(ms(100));
    assertThat(happened).hasSize(1);
  }

  @Test
  void timersHappenInTheOrderOfTheirTimes() {
    Timer late = host.timer(() -> happened.add("late"));
    Timer[] again = new Timer[1];
    again[0] =
        host.timer(() -> {
          happened.add("again");
          if (happened.size() < 3) {
            again[0].arm(ms(4));
          }
        });
    late.arm(ms(10));
    again[0].arm(ms(4));
    host.advance(ms(20));
    assertThat(happened).containsExactly("again", "again", "late", "again");
  }

  @Test
  void isArmedAnewAndCancelled() {
    Timer timer = host.timer(() -> happened.add("happened"));
    timer.arm(ms(10));
    host.advance(ms(8));
    timer.arm(ms(10));
    host.advance(ms(8));
    assertThat(happened).isEmpty();
    timer.cancel();
    host.advance(ms(100));
    assertThat(happened).isEmpty();
    assertThatThrownBy(() -> timer.arm(ms(-1))).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void resetsAndPausesCancel() {
    Timer timer = host.timer(() -> happened.add("happened"));
    timer.arm(ms(1));
    host.reset(ResetKind.BUS_OR_DEVICE);
    timer.arm(ms(1));
    assertThat(host.timersArmed()).isOne();
    host.pause();
    assertThat(host.timersArmed()).isZero();
    host.advance(ms(2));
    assertThat(happened).isEmpty();
  }

  @Test
  void whatTheActionThrowsIsTold() {
    List<Throwable> told = new ArrayList<>();
    RuntimeException broken = new IllegalStateException("broken");
    Timer timer =
        host.timer(
            () -> {
              throw broken;
            },
            told::add);
    timer.arm(Duration.ZERO);
    host.advance(Duration.ZERO);
    assertThat(told).containsExactly(broken);
    Timer untold =
        host.timer(() -> {
          throw broken;
        });
    untold.arm(Duration.ZERO);
    assertThatThrownBy(() -> host.advance(Duration.ZERO)).hasCause(broken);
  }

  @Test
  void theClientIsToldIfItWants() {
    assertThat(host.interrupts().error()).isTrue();
    assertThat(host.interrupts().requestRelease()).isTrue();
    host.tellable(false);
    assertThat(host.interrupts().error()).isFalse();
    assertThat(host.journal()).containsExactly("error", "request release");
  }
}
