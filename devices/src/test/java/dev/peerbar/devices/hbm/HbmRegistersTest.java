package dev.peerbar.devices.hbm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.ArgumentMatchers.anyString;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.when;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.LoggerFactory;

@InEveryMode
final class HbmRegistersTest {
  private final HbmFixture hbm;

  HbmRegistersTest(Engine.Polling polling) {
    hbm = new HbmFixture(polling);
  }

  private final Logger log = (Logger) LoggerFactory.getLogger(RegisterMap.class);
  private final ListAppender<ILoggingEvent> logged = new ListAppender<>();

  @BeforeEach
  void watchLog() {
    logged.start();
    log.addAppender(logged);
    log.setAdditive(false);
  }

  @AfterEach
  void leaveLog() {
    log.detachAppender(logged);
    log.setAdditive(true);
  }

  @Test
  void declaresFunction() {
    PciFunction function = hbm.endpoint.function();

    assertThat(function.bars())
        .containsExactly(
            new Bar.Registers(0, 64 << 10, Optional.empty(), tails()),
            new Bar.Memory(2, 1 << 20),
            new Bar.Msix(4, 16 << 10));
    assertThat(function.msix()).contains(new PciFunction.MsixLayout(3, 4, 0, 0x2000));
  }

  /** Channels in turn, and of each the values in the order of their use. */
  private static List<Bar.IoEventFd> tails() {
    List<Bar.IoEventFd> tails = new ArrayList<>();
    for (long value : new long[] {1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}) {
      tails.add(new Bar.IoEventFd(0x8000, AccessWidth.DWORD, value));
      tails.add(new Bar.IoEventFd(0x8100, AccessWidth.DWORD, value));
    }
    return tails;
  }

  @Test
  void declaresMappedDoorbells() {
    HbmEndpoint mapped = new HbmEndpoint(new HbmConfig(1 << 20, 2, DoorbellMode.MAP, false));

    assertThat(mapped.function().bar(0))
        .contains(
            new Bar.Registers(
                0, 64 << 10, Optional.of(new Bar.Doorbells(0x8000, 0x1000, 0x100, 2))));
  }

  @Test
  void readsReadOnlyRegisters() {
    assertThat(hbm.read4(0x00)).isEqualTo(0x4d424850);
    assertThat(hbm.read4(0x04)).isEqualTo(0x00010000);
    assertThat(hbm.read4(0x08)).isEqualTo(15 << 8 | 2);
    assertThat(hbm.read4(0x0c)).isEqualTo(1);
    assertThat(hbm.read8(0x10)).isEqualTo(1 << 20);
    assertThat(hbm.read4(0x18)).isZero();
    assertThat(hbm.read8(0x20)).isZero();
    assertThat(hbm.read4(0x28)).isZero();
    assertThat(logged.list).isEmpty();
  }

  @Test
  void readsResetValuesOfChannels() {
    for (int channel = 0; channel < 2; channel++) {
      long at = 0x1000 + channel * 0x100L;
      assertThat(hbm.read4(at)).as("CTRL").isZero();
      assertThat(hbm.read4(at + 0x04)).as("STATE").isZero();
      assertThat(hbm.read8(at + 0x08)).as("RING_BASE").isZero();
      assertThat(hbm.read4(at + 0x10)).as("RING_SIZE").isZero();
      assertThat(hbm.read4(at + 0x14)).as("HEAD").isZero();
      assertThat(hbm.read4(at + 0x18)).as("ERROR").isZero();
      assertThat(hbm.read4(at + 0x1c)).as("VECTOR").isEqualTo(channel + 1);
      assertThat(hbm.read8(at + 0x20)).as("COMPLETED").isZero();
    }
    assertThat(logged.list).isEmpty();
  }

  @Test
  void keepsWhatIsWritten() {
    hbm.write4(0x1c, 0xcafe_f00dL);
    hbm.write8(0x1008, 0x1234_5678_9abc_def0L);
    hbm.write4(0x1010, 64);
    hbm.write4(0x101c, 2);

    assertThat(hbm.read4(0x1c)).isEqualTo(0xcafe_f00dL);
    assertThat(hbm.read8(0x1008)).as("64-byte aligned").isEqualTo(0x1234_5678_9abc_dec0L);
    assertThat(hbm.read4(0x1010)).isEqualTo(64);
    assertThat(hbm.read4(0x101c)).isEqualTo(2);
    assertThat(hbm.read8(0x1108)).as("the other channel").isZero();
  }

  @Test
  void wideRegistersAsTwoHalves() {
    hbm.write4(0x1008, 0x9abc_de00L);
    hbm.write4(0x100c, 0x1234_5678L);

    assertThat(hbm.read8(0x1008)).isEqualTo(0x1234_5678_9abc_de00L);
    assertThat(hbm.read4(0x1008)).isEqualTo(0x9abc_de00L);
    assertThat(hbm.read4(0x100c)).isEqualTo(0x1234_5678L);
    assertThat(hbm.read4(0x10)).isEqualTo(1 << 20);
    assertThat(hbm.read4(0x14)).isZero();
    assertThat(logged.list).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "0x00, BYTE", // narrower than the register
    "0x02, WORD",
    "0x00, QWORD", // two registers at once
    "0x18, QWORD",
    "0x2c, DWORD", // nothing there
    "0x30, QWORD",
    "0x1200, DWORD", // no third channel
    "0x8000, DWORD", // write-only
    "0x8004, DWORD",
    "0xfffc, DWORD",
  })
  void refusedReadIsZeroAndLoggedOnce(String offset, AccessWidth width) {
    long at = Long.decode(offset);
    assertThat(hbm.endpoint.read(0, at, width)).isZero();
    assertThat(hbm.endpoint.read(0, at, width)).isZero();

    assertThat(logged.list).hasSize(1);
  }

  @ParameterizedTest
  @CsvSource({
    "0x1c, BYTE",
    "0x1e, WORD",
    "0x18, QWORD",
    "0x00, DWORD",
    "0x10, QWORD",
    "0x1014, DWORD",
    "0x1010, QWORD",
    "0x8200, DWORD",
  })
  void refusedWriteChangesNothingAndIsLoggedOnce(String offset, AccessWidth width) {
    long at = Long.decode(offset);
    hbm.endpoint.write(0, at, width, -1);
    hbm.endpoint.write(0, at, width, -1);

    assertThat(logged.list).hasSize(1);
    logged.list.clear();
    readsReadOnlyRegisters();
    readsResetValuesOfChannels();
    assertThat(hbm.read4(0x1c)).as("SCRATCH").isZero();
  }

  @Test
  void logIsBounded() {
    for (long offset = 0x3000; offset < 0x4000; offset += 4) {
      hbm.read4(offset);
    }

    assertThat(logged.list).hasSize(16);
    assertThat(logged.list.getLast().getFormattedMessage()).contains("last");
  }

  @ParameterizedTest
  @EnumSource(ResetKind.class)
  void resetClearsAllButItsCount(ResetKind kind) {
    hbm.enable().run(Descriptor.nop(), Descriptor.of(99));
    hbm.write4(0x1c, 7);
    hbm.write4(0x101c, 0);
    hbm.write8(0x1108, 0x4000);
    byte[] memory = hbm.memory(0, 1 << 20);

    hbm.host.reset(kind);

    assertThat(hbm.read4(0x18)).isEqualTo(kind == ResetKind.FUNCTION_LEVEL ? 1 : 0);
    assertThat(hbm.read4(0x1c)).isZero();
    assertThat(hbm.fault()).isZero();
    assertThat(hbm.status()).isEqualTo(1);
    readsResetValuesOfChannels();
    assertThat(hbm.memory(0, 1 << 20)).isEqualTo(memory);
  }

  @Test
  void countsResets() {
    for (int i = 0; i < 3; i++) {
      hbm.host.reset(ResetKind.FUNCTION_LEVEL);
      hbm.host.reset(ResetKind.BUS_OR_DEVICE);
    }

    assertThat(hbm.read4(0x18)).isEqualTo(3);
  }

  @ParameterizedTest
  @EnumSource(ResetKind.class)
  void scrubsMemoryIfToldTo(ResetKind kind) {
    HbmFixture scrubbing =
        new HbmFixture(hbm.polling, new HbmConfig(1 << 20, 1, DoorbellMode.TRAP, true));

    scrubbing.host.reset(kind);

    assertThat(scrubbing.memory(0, 1 << 20)).containsOnly(0);
  }

  @Test
  void faultLatchClearsByOneInItsBitOnly() {
    hbm.enable().run(Descriptor.of(99));
    long fault = hbm.fault();

    hbm.write4(0x28, 0xffff_fffeL);
    assertThat(hbm.fault()).isEqualTo(fault).isEqualTo(1 << 16 | 1);

    hbm.write4(0x28, 1);
    assertThat(hbm.fault()).isZero();
    assertThat(hbm.status()).isEqualTo(1);
  }

  @Test
  void enginePerChannelAndNothingIsSubmittedAtStart() {
    Host host = mock(Host.class);
    Engine engine = mock(Engine.class);
    when(host.engine(anyString())).thenReturn(engine);
    when(host.memory(2)).thenReturn(FakeHost.allocate(1 << 20));

    new HbmEndpoint(new HbmConfig(1 << 20, 16, DoorbellMode.MAP, false)).start(host);

    for (int channel = 0; channel < 16; channel++) {
      verify(host).engine("channel-" + channel);
    }
    verify(engine, never()).submit(any(), any());
    verify(host, never()).clearDoorbell(anyInt(), anyLong());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "524288 | 4 | The size of the memory BAR is a power of two from 1 MiB to 64 GiB, not 524288 bytes.",
        "3145728 | 4 | The size of the memory BAR is a power of two from 1 MiB to 64 GiB, not 3145728 bytes.",
        "137438953472 | 4 | The size of the memory BAR is a power of two from 1 MiB to 64 GiB, not 137438953472 bytes.",
        "1048576 | 0 | An HBM endpoint has 1 to 16 channels, not 0.",
        "1048576 | 17 | An HBM endpoint has 1 to 16 channels, not 17.",
      })
  void configRefuses(long barSize, int channels, String sentence) {
    assertThatThrownBy(() -> new HbmConfig(barSize, channels, DoorbellMode.TRAP, false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(sentence);
  }

  @Test
  void takesLargestConfig() {
    HbmEndpoint largest =
        new HbmEndpoint(new HbmConfig(64L << 30, 16, DoorbellMode.TRAP, true), 42);

    assertThat(largest.function().bar(2)).contains(new Bar.Memory(2, 64L << 30));
    assertThat(largest.function().msix().orElseThrow().vectors()).isEqualTo(17);
  }
}
