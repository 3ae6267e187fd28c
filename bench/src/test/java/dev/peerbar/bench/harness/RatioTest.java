package dev.peerbar.bench.harness;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RatioTest {
  @Test
  void isTheMedianOfTheRounds() {
    Ratio ratio = Ratio.of(1, 5, 2, 4, 3);
    assertThat(ratio.median()).isEqualTo(3);
    assertThat(ratio.low()).isBetween(1.0, 2.0);
    assertThat(ratio.high()).isBetween(4.0, 5.0);
  }

  @Test
  void oneRoundHasNoSpread() {
    assertThat(Ratio.of(0.5)).isEqualTo(new Ratio(0.5, 0.5, 0.5));
  }

  @Test
  void aDisturbedRoundChangesLittle() {
    Ratio quiet = Ratio.of(1, 1.01, 1.02, 1.03, 1.04);
    Ratio disturbed = Ratio.of(1, 1.01, 1.02, 1.03, 400);
    assertThat(disturbed.median()).isEqualTo(quiet.median());
  }
}
