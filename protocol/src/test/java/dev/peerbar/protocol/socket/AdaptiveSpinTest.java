package dev.peerbar.protocol.socket;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class AdaptiveSpinTest {
  private static final long MOST = 100_000;

  private final AdaptiveSpin spin = new AdaptiveSpin(MOST);

  @Test
  void looksAsLongAsItMayToBeginWith() {
    assertThat(spin.isWorthwhile()).isTrue();
    assertThat(spin.nanos()).isEqualTo(MOST);
  }

  @Test
  void aSleepThatNoLookCouldHaveSparedEndsTheLooks() {
    spin.slept(MOST + 1);
    assertThat(spin.nanos()).isZero();
    spin.slept(10 * MOST);
    assertThat(spin.nanos()).isZero();
  }

  @Test
  void sleepsThatALookWouldHaveSparedBringThemBackStepByStep() {
    spin.slept(MOST + 1);
    spin.slept(MOST);
    assertThat(spin.nanos()).isEqualTo(10_000);
    spin.slept(20_000);
    assertThat(spin.nanos()).isEqualTo(20_000);
    for (int i = 0; i < 10; i++) {
      spin.slept(MOST);
    }
    assertThat(spin.nanos()).isEqualTo(MOST);
  }

  @Test
  void nothingIsLookedForIfThatWasNotAskedFor() {
    AdaptiveSpin none = new AdaptiveSpin(0);
    assertThat(none.isWorthwhile()).isFalse();
    none.slept(0);
    assertThat(none.nanos()).isZero();
  }
}
