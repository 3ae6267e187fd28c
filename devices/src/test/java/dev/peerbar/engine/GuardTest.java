package dev.peerbar.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class GuardTest {
  private final Guard<String> guard =
      new Guard<>(
          "a test",
          new Errors<>() {
            @Override
            public String of(DmaFaultException fault) {
              return "fault at " + fault.iova();
            }

            @Override
            public String broken() {
              return "broken";
            }
          });

  @Test
  void returnsWhatTheStepSays() throws Exception {
    assertThat(guard.run(() -> "said")).isEqualTo("said");
  }

  @Test
  void namesAFault() throws Exception {
    String said =
        guard.run(() -> {
          throw new DmaFaultException(
              DmaFaultException.Access.READ, DmaFaultException.Reason.UNMAPPED, 7, 0);
        });

    assertThat(said).isEqualTo("fault at 7");
  }

  static Stream<Throwable> whatNobodyExpects() {
    return Stream.of(
        new IllegalStateException("broken"), new OutOfMemoryError(), new StackOverflowError());
  }

  @ParameterizedTest
  @MethodSource("whatNobodyExpects")
  void namesWhatNobodyExpects(Throwable thrown) throws Exception {
    String said =
        guard.run(() -> {
          if (thrown instanceof Error error) {
            throw error;
          }
          throw (RuntimeException) thrown;
        });

    assertThat(said).isEqualTo("broken");
  }

  @Test
  void letsTheEndOfTheJobThrough() {
    assertThatThrownBy(() ->
            guard.run(() -> {
              throw new JobEndedException();
            }))
        .isInstanceOf(JobEndedException.class);
  }
}
