package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.CpuAffinity;
import dev.peerbar.server.Polling;
import java.util.BitSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class AllowedProcessorsTest {
  private static AllowedProcessors of(int... numbers) {
    return new AllowedProcessors(
        IntStream.of(numbers).collect(BitSet::new, BitSet::set, BitSet::or));
  }

  @Test
  void areWrittenAsRanges() {
    assertThat(of(0)).hasToString("0");
    assertThat(of(0, 1)).hasToString("0-1");
    assertThat(of(1, 3, 4, 5, 63, 64, 4095)).hasToString("1,3-5,63-64,4095");
  }

  @Test
  void othersAreRefusedByName() {
    AllowedProcessors some = of(0, 1, 6);
    assertThatCode(() -> some.check(Polling.ALWAYS)).doesNotThrowAnyException();
    assertThatCode(() -> some.check(Polling.ALWAYS.on(6))).doesNotThrowAnyException();
    assertThatThrownBy(() -> some.check(Polling.ALWAYS.on(5)))
        .isInstanceOf(CommandFailedException.class)
        .hasMessage("this process may not run on processor 5: poll on one of 0-1,6, or name none");
  }

  @Test
  void areThoseOfThisProcess() throws Exception {
    assertThat(AllowedProcessors.here().numbers()).isEqualTo(CpuAffinity.ofCallingThread());
  }
}
