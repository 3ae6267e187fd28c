package dev.peerbar.bench.harness;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class AimTest {
  @Test
  void whatIsJustGoodEnoughIsGoodEnough() {
    assertThat(Aim.atMost(1.05).met(1.05)).isTrue();
    assertThat(Aim.atMost(1.05).met(1.051)).isFalse();
    assertThat(Aim.atLeast(0.7).met(0.7)).isTrue();
    assertThat(Aim.atLeast(0.7).met(0.699)).isFalse();
  }

  @Test
  void whatIsNoNumberIsNeverGoodEnough() {
    assertThat(Aim.atMost(1.05).met(Double.NaN)).isFalse();
    assertThat(Aim.atLeast(0.7).met(Double.NaN)).isFalse();
  }

  @Test
  void aFigureIsJudgedByItsRatioIfItHasOne() {
    Optional<Aim> aim = Optional.of(Aim.atMost(1));
    assertThat(new Figure("path", "p50", "us", 40, 20, Ratio.of(0.5), aim).met()).isTrue();
    assertThat(new Figure("path", "p50", "us", 0.1, 0.2, Ratio.of(2), aim).met()).isFalse();
  }

  @Test
  void aFigureThatStandsAloneIsJudgedByItsValue() {
    Optional<Aim> nothing = Optional.of(Aim.atMost(0));
    assertThat(Figure.alone("path", "garbage", "B", 0, nothing).met()).isTrue();
    assertThat(Figure.alone("path", "garbage", "B", 24, nothing).met()).isFalse();
  }

  @Test
  void aFigureWithoutAnAimIsAsItShouldBe() {
    assertThat(Figure.alone("path", "garbage", "B", 24, Optional.empty()).met()).isTrue();
  }
}
