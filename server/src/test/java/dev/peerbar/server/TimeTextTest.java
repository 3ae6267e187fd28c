package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class TimeTextTest {
  @ParameterizedTest
  @CsvSource({
    "0us, PT0S, 0ms",
    "1us, PT0.000001S, 1us",
    "9999999us, PT9.999999S, 9999999us",
    "2000us, PT0.002S, 2ms",
    "0010ms, PT0.01S, 10ms",
    "1s, PT1S, 1000ms",
    "2m, PT2M, 120000ms"
  })
  void isReadAndWritten(String text, Duration time, String written) {
    assertThat(TimeText.parse(text)).isEqualTo(time);
    assertThat(TimeText.of(time)).isEqualTo(written);
    assertThat(TimeText.parse(written)).isEqualTo(time);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "10", "ms", "-1ms", "1.5s", "1 s", "1h", "1MS", "99999999us"})
  void anythingElseIsExplained(String text) {
    assertThatThrownBy(() -> TimeText.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("'%s' is no time, such as 50us, 90ms, 4s or 2m", text);
  }

  @Test
  void theLongestHasNanosecondsThatFit() {
    assertThat(TimeText.parse("9999999m").toNanos()).isPositive();
  }
}
