package dev.peerbar.server.fault;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.pci.PcieError;
import dev.peerbar.protocol.Command;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Faults as people write them. */
final class FaultTextTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "reset-takes=90ms",
        "reset-takes=ever",
        "all-ones",
        "all-ones=config",
        "all-ones=bars",
        "stuck",
        "stuck=channel-0",
        "interrupts-late=200ms",
        "interrupts-late=1050us",
        "interrupts-lost",
        "interrupts-doubled=10ms",
        "replies-late=4000ms",
        "replies-late=4000ms,DMA_UNMAP",
        "keeps-mappings",
        "ignores-bus-master",
        "error=correctable",
        "error=non-fatal",
        "error=fatal",
        "stray-write=0x1000",
        "unchecked-write=0xffffffffffffffff"
      })
  void whatIsWrittenIsRead(String text) {
    assertThat(FaultText.of(FaultText.parse(text))).isEqualTo(text);
  }

  @Test
  void valuesMeanWhatTheySay() {
    assertThat(FaultText.parse("reset-takes=2m"))
        .isEqualTo(new Fault.ResetTakes(Optional.of(Duration.ofMinutes(2))));
    assertThat(FaultText.parse("replies-late=4s,DMA_MAP"))
        .isEqualTo(new Fault.RepliesLate(Duration.ofSeconds(4), Optional.of(Command.DMA_MAP)));
    assertThat(FaultText.parse("error=non-fatal")).isEqualTo(new Fault.Error(PcieError.NON_FATAL));
    assertThat(FaultText.parse("stray-write=4096")).isEqualTo(new Fault.StrayWrite(4096, true));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "reset-takes",
        "reset-takes=",
        "reset-takes=never",
        "reset-takes=90",
        "reset-takes=-1ms",
        "reset-takes=61m",
        "reset-takes=99999999s",
        "all-ones=",
        "all-ones=everything",
        "stuck=",
        "interrupts-lost=1s",
        "replies-late=4s,",
        "replies-late=4s,DMA_FLY",
        "replies-late=4s,DMA_MAP,DMA_MAP",
        "error=grave",
        "stray-write=here",
        "stray-write=0x10000000000000000"
      })
  void wrongValuesAreExplained(String text) {
    assertThatThrownBy(() -> FaultText.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("'%s' is not how a fault is written: ".formatted(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "=", "stick", "STUCK", "stuck channel-0"})
  void otherNamesGetTheNamesThatThereAre(String text) {
    assertThatThrownBy(() -> FaultText.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("there are reset-takes, all-ones, stuck, ");
  }
}
