package dev.peerbar.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class PciFunctionTest {
  private static final int COMMAND = 0x04;
  private static final int MEMORY = 1 << 1;
  private static final int BUS_MASTER = 1 << 2;
  private static final int PM = 0x40;
  private static final int PMCSR = PM + 4;
  private static final int D3HOT = 3;
  private static final int EXPRESS = 0x50;
  private static final int DEVICE_CONTROL = EXPRESS + 8;
  private static final int LINK_CONTROL = EXPRESS + 0x10;
  private static final int FLR = 1 << 15;
  private static final int MSIX = 0x90;
  private static final int MSIX_CONTROL = MSIX + 2;
  private static final int AER = 0x100;

  private final PciFunction function = declaration().build();
  private final ConfigAccess config = new ConfigAccess(function);

  static PciFunctionBuilder declaration() {
    return PciFunction.builder()
        .identity(0x1234, 0x7032)
        .subsystem(0x1af4, 0x1100)
        .classCode(0x120000)
        .revision(1)
        .registers(0, 64 << 10)
        .memory(2, 8L << 30)
        .msix(4, 16 << 10, 5, 0, 0x2000)
        .advancedErrorReporting()
        .serialNumber(0x0011_2233_4455_6677L);
  }

  @Nested
  final class Header {

    @Test
    void tellsIdentity() {
      assertThat(config.read32(0x00)).isEqualTo(0x7032_1234);
      assertThat(config.read32(0x08)).isEqualTo(0x120000_01);
      assertThat(config.read32(0x2c)).isEqualTo(0x1100_1af4);
      assertThat(config.read(0x0e, 1)).as("header type").isZero();
      assertThat(config.read(0x3d, 1)).as("interrupt pin").isZero();
      assertThat(config.read16(0x06)).as("status").isEqualTo(1 << 4);
    }

    @Test
    void subsystemIsIdentityUnlessDeclared() {
      PciFunction plain = PciFunction.builder().identity(0x1234, 0x7032).classCode(0).build();

      assertThat(new ConfigAccess(plain).read32(0x2c)).isEqualTo(0x7032_1234);
    }

    @Test
    void declaresInterruptPin() {
      PciFunction withPin = declaration().interruptPin(1).build();

      assertThat(new ConfigAccess(withPin).read(0x3d, 1)).isEqualTo(1);
      assertThat(withPin.interruptPin()).isEqualTo(1);
    }

    @Test
    void writableBitsOfCommandOnly() {
      config.write(COMMAND, 2, 0xffff);

      assertThat(config.read16(COMMAND)).isEqualTo(0x0546);
    }

    @Test
    void keepsScratchRegisters() {
      config.write(0x3c, 4, 0xffff_ffffL);
      config.write(0x0c, 4, 0xffff_ffffL);

      assertThat(config.read32(0x3c)).as("interrupt line alone").isEqualTo(0xff);
      assertThat(config.read32(0x0c)).as("cache line size alone").isEqualTo(0xff);
    }

    @Test
    void statusErrorsClearByOnes() {
      function.space().setWord(0x06, 0xf910);

      config.write(0x06, 2, 0x8000);
      assertThat(config.read16(0x06)).isEqualTo(0x7910);
      config.write(0x06, 2, 0);
      assertThat(config.read16(0x06)).isEqualTo(0x7910);
      config.write(0x06, 2, 0xffff);
      assertThat(config.read16(0x06)).isEqualTo(0x0010);
    }
  }

  @Nested
  final class Bars {

    @Test
    void sizesBy32Bits() {
      for (int offset = 0x10; offset <= 0x24; offset += 4) {
        config.write(offset, 4, 0xffff_ffffL);
      }

      assertThat(config.read32(0x10)).as("64 KiB registers").isEqualTo(0xffff_0000);
      assertThat(config.read32(0x14)).as("no BAR 1").isZero();
      assertThat(config.read32(0x18)).as("8 GiB memory, low").isEqualTo(0x0000_000c);
      assertThat(config.read32(0x1c)).as("8 GiB memory, high").isEqualTo(0xffff_fffe);
      assertThat(config.read32(0x20)).as("16 KiB MSI-X").isEqualTo(0xffff_c000);
      assertThat(config.read32(0x24)).as("no BAR 5").isZero();
      assertThat(config.read32(0x30)).as("no ROM").isZero();
    }

    @Test
    void keepsAddress() {
      config.write(0x10, 4, 0xfebd_1234L);
      config.write(0x18, 8, 0x0000_0012_3456_789aL);

      assertThat(config.read32(0x10)).isEqualTo(0xfebd_0000);
      assertThat(config.read(0x18, 8)).isEqualTo(0x0000_0012_0000_000cL);
    }

    @ParameterizedTest
    @ValueSource(longs = {1L << 20, 1L << 31, 1L << 32, 1L << 36})
    void sizesMemory(long size) {
      PciFunction other = PciFunction.builder().identity(1, 1).classCode(0).memory(4, size).build();
      ConfigAccess access = new ConfigAccess(other);

      access.write(0x20, 8, -1);

      assertThat(access.read(0x20, 8)).isEqualTo(-size | 0xc);
    }
  }

  @Nested
  final class Capabilities {

    @Test
    void chainsStandardCapabilities() {
      assertThat(config.standardCapabilities())
          .containsExactly(entry(0x01, PM), entry(0x10, EXPRESS), entry(0x11, MSIX));
    }

    @Test
    void chainsExtendedCapabilities() {
      assertThat(config.extendedCapabilities())
          .containsExactly(entry("1 v2", AER), entry("3 v1", 0x148));
    }

    @Test
    void leavesOutWhatIsNotDeclared() {
      ConfigAccess plain =
          new ConfigAccess(PciFunction.builder().identity(1, 1).classCode(0).build());

      assertThat(plain.standardCapabilities()).containsOnlyKeys(0x01, 0x10);
      assertThat(plain.extendedCapabilities()).isEmpty();
    }

    @Test
    void powerManagementIsVersion3WithoutPmeAndWithSoftReset() {
      assertThat(config.read16(PM + 2)).isEqualTo(3);
      assertThat(config.read16(PMCSR)).isZero();
    }

    @Test
    void expressIsEndpointVersion2WithFlr() {
      assertThat(config.read16(EXPRESS + 2)).isEqualTo(2);
      int capabilities = config.read32(EXPRESS + 4);
      assertThat(capabilities & 1 << 28).as("FLR").isNotZero();
      assertThat(capabilities & 1 << 15).as("role-based error reporting").isNotZero();
      assertThat(config.read32(EXPRESS + 0x0c) & 0x3ff).as("16 GT/s x16").isEqualTo(0x104);
      assertThat(config.read16(EXPRESS + 0x12) & 0x3ff).as("trained to it").isEqualTo(0x104);
    }

    @Test
    void msixPointsToStructures() {
      assertThat(config.read16(MSIX_CONTROL)).isEqualTo(4);
      assertThat(config.read32(MSIX + 4)).isEqualTo(4);
      assertThat(config.read32(MSIX + 8)).isEqualTo(0x2004);
    }

    @Test
    void errorReportingHasSpecifiedDefaults() {
      assertThat(config.read32(AER + 0x08)).as("mask").isEqualTo(0x0040_0000);
      assertThat(config.read32(AER + 0x0c)).as("severity").isEqualTo(0x0046_2030);
      assertThat(config.read32(AER + 0x14)).as("correctable mask").isEqualTo(0x6000);
    }

    @Test
    void errorStatusClearsByOnes() {
      function.space().setWord(AER + 0x04, 0x5000);
      function.space().setWord(AER + 0x10, 0x2001);

      config.write(AER + 0x04, 4, 0x1000);
      config.write(AER + 0x10, 4, 0xffff_ffffL);

      assertThat(config.read32(AER + 0x04)).isEqualTo(0x4000);
      assertThat(config.read32(AER + 0x10)).isZero();
    }

    @Test
    void serialNumberReads() {
      assertThat(config.read(0x14c, 8)).isEqualTo(0x0011_2233_4455_6677L);
    }
  }

  @Nested
  final class Accesses {

    @Test
    void crossRegisters() {
      // Upper byte of Command, all of Status, Revision and the low byte of Class Code.
      config.write(0x05, 5, 0xff_ffff_ffffL);

      assertThat(config.read(0x03, 8)).isEqualTo(0x0000_0100_1005_0070L);
    }

    @Test
    void enableByOneWideWrite() {
      byte[] header = config.dump();
      header[COMMAND] = MEMORY | BUS_MASTER;
      header[MSIX_CONTROL + 1] = (byte) 0x80;
      config.write(0, header);

      assertThat(config.events).containsExactly("bus master true", "memory true", "MSI-X");
      assertThat(function.msixEnabled()).isTrue();
      assertThat(function.msixMasked()).isFalse();
    }

    @Test
    void stayInside() {
      assertThatThrownBy(() -> config.read(4093, 4)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> config.write(4093, 4, -1))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> function.readConfig(-1, ByteBuffer.allocate(1)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThat(config.read(4092, 4)).isZero();
    }
  }

  @Nested
  final class Told {

    @Test
    void changesOnly() {
      config.write(COMMAND, 2, MEMORY);
      config.write(COMMAND, 2, MEMORY);
      config.write(COMMAND, 2, MEMORY | BUS_MASTER);
      config.write(COMMAND, 2, 0);
      config.write(MSIX_CONTROL, 2, 0xc000);
      config.write(MSIX_CONTROL, 2, 0xc000);
      config.write(MSIX_CONTROL, 2, 0x8000);

      assertThat(config.events)
          .containsExactly(
              "memory true",
              "bus master true",
              "bus master false",
              "memory false",
              "MSI-X",
              "MSI-X");
    }

    @Test
    void flrAndItReadsZero() {
      int before = config.read16(DEVICE_CONTROL);
      config.write(DEVICE_CONTROL, 2, before | FLR);

      assertThat(config.events).containsExactly("FLR");
      assertThat(config.read16(DEVICE_CONTROL)).isEqualTo(before);
    }

    @Test
    void flrByItsByteAlone() {
      config.write(DEVICE_CONTROL + 1, 1, 0x80);
      config.write(DEVICE_CONTROL, 1, 0x80);
      config.write(DEVICE_CONTROL + 2, 2, 0xffff);

      assertThat(config.events).containsExactly("FLR");
    }

    @Test
    void flrByWideWriteWithoutEnablesThatItUndoes() {
      byte[] all = config.dump();
      all[COMMAND] = MEMORY | BUS_MASTER;
      all[DEVICE_CONTROL + 1] |= (byte) 0x80;
      config.write(0, all);

      assertThat(config.events).containsExactly("FLR");
    }
  }

  @Nested
  final class Pin {
    private static final int INTERRUPT_DISABLE = 1 << 10;
    private static final int STATUS = 0x06;
    private static final int INTERRUPT_STATUS = 1 << 3;

    private final PciFunction withPin = declaration().interruptPin(2).build();
    private final ConfigAccess access = new ConfigAccess(withPin);

    @Test
    void isThereOrNot() {
      assertThat(function.intxEnabled()).isFalse();
      assertThat(withPin.intxEnabled()).isTrue();
      assertThat(access.read(0x3d, 1)).isEqualTo(2);
    }

    @Test
    void isDisabledByCommandMsixAndD3hot() {
      access.write(COMMAND, 2, INTERRUPT_DISABLE);
      assertThat(withPin.intxEnabled()).isFalse();
      access.write(COMMAND, 2, 0);
      access.write(MSIX_CONTROL, 2, 0x8000);
      assertThat(withPin.intxEnabled()).isFalse();
      access.write(MSIX_CONTROL, 2, 0);
      access.write(PMCSR, 2, D3HOT);
      assertThat(withPin.intxEnabled()).isFalse();
      assertThat(access.events)
          .containsExactly("INTx", "INTx", "MSI-X", "INTx", "MSI-X", "INTx", "INTx");
    }

    @Test
    void showsInStatusUntilAReset() {
      withPin.interruptStatus(true);
      access.write(STATUS, 2, 0xffff);
      assertThat(access.read16(STATUS)).isEqualTo(INTERRUPT_STATUS | 1 << 4);
      withPin.interruptStatus(false);
      assertThat(access.read16(STATUS)).isEqualTo(1 << 4);
      withPin.interruptStatus(true);
      withPin.reset(ResetKind.FUNCTION_LEVEL);
      assertThat(access.read16(STATUS)).isEqualTo(1 << 4);
    }
  }

  @Nested
  final class PowerStates {

    @Test
    void d3hotSilencesFunction() {
      config.write(COMMAND, 2, MEMORY | BUS_MASTER);
      config.events.clear();
      config.write(PMCSR, 2, D3HOT);

      assertThat(function.inD3hot()).isTrue();
      assertThat(function.memorySpaceEnabled()).isFalse();
      assertThat(function.busMasterEnabled()).isFalse();
      assertThat(config.read16(COMMAND)).isEqualTo(MEMORY | BUS_MASTER);
      assertThat(config.events).containsExactly("bus master false", "memory false");
    }

    @Test
    void returnToD0Resets() {
      config.write(COMMAND, 2, MEMORY | BUS_MASTER);
      config.write(PMCSR, 2, D3HOT);
      config.events.clear();
      config.write(PMCSR, 2, 0);
      function.reset(ResetKind.D3HOT_TO_D0);

      assertThat(config.events).containsExactly("D3hot to D0");
      assertThat(config.read16(COMMAND)).isZero();
      assertThat(function.inD3hot()).isFalse();
    }

    @Test
    void returnToD0KeepsStateWithNoSoftReset() {
      PciFunction keeping = declaration().noSoftReset().build();
      ConfigAccess access = new ConfigAccess(keeping);
      access.write(COMMAND, 2, BUS_MASTER);
      access.write(PMCSR, 2, D3HOT);
      access.write(PMCSR, 2, 0);

      assertThat(access.read16(PMCSR)).isEqualTo(1 << 3);
      assertThat(access.events)
          .containsExactly("bus master true", "bus master false", "bus master true");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void discardsUnsupportedState(int state) {
      config.write(PMCSR, 2, state);
      assertThat(config.read16(PMCSR)).isZero();

      config.write(PMCSR, 2, D3HOT);
      config.write(PMCSR, 2, state);
      assertThat(config.read16(PMCSR)).isEqualTo(D3HOT);
      assertThat(config.events).isEmpty();
    }
  }

  @Nested
  final class Resets {

    @ParameterizedTest
    @EnumSource(ResetKind.class)
    void clearWhatSoftwareWrote(ResetKind kind) {
      byte[] atPowerOn = config.dump();
      for (int offset = 0; offset < 0x40; offset += 4) {
        config.write(offset, 4, -1);
      }
      config.write(PMCSR, 2, D3HOT);
      config.write(MSIX_CONTROL, 2, 0xc000);
      config.write(DEVICE_CONTROL, 2, 0);
      config.events.clear();

      function.reset(kind);

      assertThat(config.dump()).isEqualTo(atPowerOn);
      assertThat(config.events).isEmpty();
      assertThat(function.busMasterEnabled()).isFalse();
      assertThat(function.msixEnabled()).isFalse();
    }

    @ParameterizedTest
    @EnumSource(ResetKind.class)
    void leaveStickyBits(ResetKind kind) {
      function.space().setWord(AER + 0x04, 0x4000);
      config.write(AER + 0x08, 4, 0x0010_0000);
      config.write(AER + 0x0c, 4, 0);
      config.write(EXPRESS + 0x30, 2, 3);

      function.reset(kind);

      assertThat(config.read32(AER + 0x04)).isEqualTo(0x4000);
      assertThat(config.read32(AER + 0x08)).isEqualTo(0x0010_0000);
      assertThat(config.read32(AER + 0x0c)).isZero();
      assertThat(config.read16(EXPRESS + 0x30)).as("target link speed").isEqualTo(3);
    }

    @ParameterizedTest
    @EnumSource(ResetKind.class)
    void ofFunctionAloneLeaveLink(ResetKind kind) {
      config.write(DEVICE_CONTROL, 2, 0x0020);
      config.write(LINK_CONTROL, 2, 0x0040);

      function.reset(kind);

      boolean linkToo = kind == ResetKind.BUS_OR_DEVICE;
      assertThat(config.read16(DEVICE_CONTROL)).isEqualTo(linkToo ? 0x2910 : 0x2930);
      assertThat(config.read16(LINK_CONTROL)).isEqualTo(linkToo ? 0 : 0x0040);
    }
  }
}
