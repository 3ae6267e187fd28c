package dev.peerbar.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.pci.ConfigLayout.Msi;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class MsiCapabilityTest {
  private static final int MSIX_CONTROL = 0x92;
  private static final int MSIX_ENABLE = 1 << 15;

  private final PciFunction function = PciFunctionTest.declaration().interruptPin(1).msi(8).build();
  private final ConfigAccess config = new ConfigAccess(function);
  private final MsiCapability msi = function.msi().orElseThrow();
  private final int at = config.standardCapabilities().get(Msi.ID);

  private void control(int enable, int log2) {
    config.write(at + Msi.MESSAGE_CONTROL, 2, enable | log2 << Msi.MULTIPLE_MESSAGE_ENABLE_SHIFT);
  }

  @Test
  void saysWhatItCan() {
    assertThat(at).as("behind MSI-X, whose place it does not take").isEqualTo(0xa0);
    assertThat(config.read16(at + Msi.MESSAGE_CONTROL))
        .isEqualTo(3 << 1 | Msi.ADDRESS_64 | Msi.PER_VECTOR_MASKING);
    assertThat(function.vectors()).isEqualTo(8);
    assertThat(PciFunctionTest.declaration().build().msi()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 33, 64, -1, Integer.MIN_VALUE})
  void refusesOtherNumbers(int vectors) {
    assertThatThrownBy(() -> PciFunctionTest.declaration().msi(vectors))
        .hasMessage("A function has 1, 2, 4, 8, 16 or 32 MSI vectors, not %d.".formatted(vectors));
  }

  @Test
  void isDeclaredOnce() {
    assertThatThrownBy(() -> PciFunctionTest.declaration().msi(1).msi(1))
        .hasMessage("MSI is declared twice.");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4, 8, 16, 32})
  void eachVectorHasAMaskAndAPendingBit(int vectors) {
    PciFunction other = PciFunctionTest.declaration().msi(vectors).build();
    ConfigAccess access = new ConfigAccess(other);
    access.write(at + Msi.MASK_BITS, 8, -1);
    long each = (1L << vectors) - 1;
    assertThat(access.read(at + Msi.MASK_BITS, 4)).isEqualTo(each);
    assertThat(access.read(at + Msi.PENDING_BITS, 4)).as("read-only").isZero();
    MsiCapability capability = other.msi().orElseThrow();
    for (int vector = 0; vector < vectors; vector++) {
      assertThat(capability.masked(vector)).isTrue();
      capability.setPending(vector);
      assertThat(capability.isPending(vector)).isTrue();
    }
    assertThat(access.read(at + Msi.PENDING_BITS, 4)).isEqualTo(each);
    capability.clearPending(vectors - 1);
    assertThat(access.read(at + Msi.PENDING_BITS, 4)).isEqualTo(each >>> 1);
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "1, 2", "2, 4", "3, 8", "4, 8", "7, 8"})
  void vectorsAreWhatTheDriverAllocates(int log2, int allocated) {
    control(Msi.ENABLE, log2);
    assertThat(msi.allocated()).isEqualTo(allocated);
    for (int vector = 0; vector < 2048; vector++) {
      assertThat(msi.message(vector)).isEqualTo(vector % allocated);
    }
  }

  @Test
  void theMessageIsTheDriversWithTheVectorInItsLowBits() {
    control(Msi.ENABLE, 2);
    config.write(at + Msi.MESSAGE_ADDRESS, 8, 0x1234_5678_fee0_1007L);
    config.write(at + Msi.MESSAGE_DATA, 2, 0x41e4);
    assertThat(msi.messageAddress()).isEqualTo(0x1234_5678_fee0_1004L);
    assertThat(msi.messageData(3)).isEqualTo(0x41e7);
  }

  @Test
  void oneMechanismIsInForce() {
    assertThat(function.intxEnabled()).isTrue();
    control(Msi.ENABLE, 0);
    assertThat(function.msiEnabled()).isTrue();
    assertThat(function.intxEnabled()).isFalse();
    config.write(MSIX_CONTROL, 2, MSIX_ENABLE);
    assertThat(function.msixEnabled()).isTrue();
    assertThat(function.msiEnabled()).isFalse();
    assertThat(function.intxEnabled()).isFalse();
  }

  @Test
  void tellsTheHostWhatChanges() {
    control(Msi.ENABLE, 0);
    assertThat(config.events).containsExactly("MSI", "INTx");
    config.events.clear();
    control(Msi.ENABLE, 1);
    config.write(at + Msi.MASK_BITS, 4, 1);
    config.write(at + Msi.MASK_BITS, 4, 1);
    config.write(at + Msi.MESSAGE_DATA, 2, 5);
    assertThat(config.events).containsExactly("MSI", "MSI");
  }

  @ParameterizedTest
  @EnumSource
  void everyResetDisablesIt(ResetKind kind) {
    control(Msi.ENABLE, 3);
    config.write(at + Msi.MASK_BITS, 4, 0xff);
    msi.setPending(7);
    function.reset(kind);
    assertThat(function.msiEnabled()).isFalse();
    assertThat(msi.masked(7)).isFalse();
    assertThat(msi.isPending(7)).isFalse();
  }

  @Test
  void itMovesWithTheFunction() throws Exception {
    control(Msi.ENABLE, 3);
    config.write(at + Msi.MASK_BITS, 4, 0x0f);
    msi.setPending(3);
    PciFunction other = PciFunctionTest.declaration().interruptPin(1).msi(8).build();
    other.restoreState(function.saveState());
    assertThat(other.msiEnabled()).isTrue();
    assertThat(other.msi().orElseThrow().isPending(3)).isTrue();
    assertThat(other.msi().orElseThrow().masked(3)).isTrue();
    assertThat(other.msi().orElseThrow().masked(4)).isFalse();
  }
}
