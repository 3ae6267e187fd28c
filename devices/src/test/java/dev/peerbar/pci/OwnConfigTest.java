package dev.peerbar.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.entry;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What an endpoint has in config space of its own: registers and vendor-specific capabilities. */
final class OwnConfigTest {
  private static final int DMA_ERROR = 0x148;
  private static final int CHANERR_INT = 0x180;
  private static final int CHANERRMSK_INT = 0x184;
  private static final int ASKED = 0x90;

  private final List<String> told = new ArrayList<>();
  private long answer = 0x8877_6655_4433_2211L;

  /** What an I/OAT engine has there, and a register that is the endpoint's to answer. */
  private PciFunctionBuilder declaration() {
    return PciFunctionTest.declaration()
        .configRegister(ConfigRegister.at(DMA_ERROR, 4).clearedByOnes(0xff00).sticky(0x0f00))
        .configRegister(ConfigRegister.at(CHANERR_INT, 4).clearedByOnes(0x1_ffff).sticky(0x1_ffff))
        .configRegister(
            ConfigRegister.at(CHANERRMSK_INT, 4)
                .initial(0x7)
                .writable(0x1_ffff)
                .keptByFunctionReset(0xff)
                .onWrite((value, mask) -> told("mask", value, mask)))
        .configRegister(
            ConfigRegister.at(ASKED, 8)
                .onRead(() -> answer)
                .onWrite((value, mask) -> told("asked", value, mask)));
  }

  private void told(String which, long value, long mask) {
    told.add("%s 0x%x of 0x%x".formatted(which, value, mask));
  }

  private static void refuses(String sentence, UnaryOperator<PciFunctionBuilder> declaration) {
    assertThatThrownBy(() -> declaration.apply(PciFunctionTest.declaration()).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(sentence);
  }

  @Nested
  final class Places {

    @Test
    void theListsAreLaidAroundRegisters() {
      ConfigAccess config = new ConfigAccess(declaration().build());

      assertThat(config.extendedCapabilities())
          .containsExactly(entry("1 v2", 0x100), entry("3 v1", 0x14c));
      assertThat(config.standardCapabilities())
          .as("MSI-X would be at 0x90")
          .containsExactly(entry(0x01, 0x40), entry(0x10, 0x50), entry(0x11, 0xa0));
    }

    @Test
    void aListWhoseFirstPlaceIsTooShortBeginsWithANullCapability() {
      ConfigAccess config =
          new ConfigAccess(
              PciFunctionTest.declaration().configRegister(ConfigRegister.at(0x120, 4)).build());

      assertThat(config.extendedCapabilities())
          .as("the serial number fits before, and is first")
          .containsExactly(entry("1 v2", 0x124), entry("3 v1", 0x100));

      ConfigAccess other =
          new ConfigAccess(
              PciFunctionTest.declaration().configRegister(ConfigRegister.at(0x108, 4)).build());
      assertThat(other.extendedCapabilities())
          .containsExactly(entry("0 v0", 0x100), entry("1 v2", 0x10c), entry("3 v1", 0x154));
    }

    @Test
    void vendorCapabilitiesAreWhereTheirAuthorOrTheBuilderPutsThem() {
      PciFunction function =
          PciFunctionTest.declaration()
              .vendorCapability(VendorCapability.standard(16))
              .vendorCapability(VendorCapability.standard(20).at(0xc0))
              .vendorCapability(VendorCapability.extended(0xabcd, 3, 0x20))
              .vendorCapability(VendorCapability.extended(0xdcba, 1, 0x10).at(0x400))
              .build();
      ConfigAccess config = new ConfigAccess(function);

      assertThat(function.vendorCapabilities()).containsExactly(0x9c, 0xc0, 0x154, 0x400);
      assertThat(config.read(0x9c, 3)).as("ID, next, length").isEqualTo(0x10_c0_09);
      assertThat(config.read(0xc0, 3)).isEqualTo(0x14_00_09);
      assertThat(config.read32(0x154)).isEqualTo(0x400_1_000b);
      assertThat(config.read32(0x158)).isEqualTo(0x020_3_abcd);
      assertThat(config.read32(0x400)).isEqualTo(0x000_1_000b);
      assertThat(config.read32(0x404)).isEqualTo(0x010_1_dcba);
    }

    @Test
    void virtioFits() {
      PciFunctionBuilder builder = PciFunctionTest.declaration();
      int[] lengths = {16, 20, 16, 16, 20, 24};
      for (int length : lengths) {
        builder.vendorCapability(VendorCapability.standard(length));
      }
      PciFunction function = builder.build();
      int at = 0x90;
      for (int i = 0; i < lengths.length; i++) {
        assertThat(function.vendorCapabilities().get(i)).isEqualTo(at);
        at += lengths[i];
      }
      assertThat(new ConfigAccess(function).standardCapabilities())
          .as("packed closely, for want of room")
          .contains(entry(0x01, 0x40), entry(0x10, 0x48), entry(0x11, 0x84));
    }

    @Test
    void whatDoesNotFitIsRefused() {
      refuses(
          "The standard capabilities do not fit below 0x100.",
          b ->
              b.vendorCapability(VendorCapability.standard(100))
                  .vendorCapability(VendorCapability.standard(100)));
      refuses(
          "The extended capabilities do not fit below 0x1000.",
          b ->
              b.vendorCapability(VendorCapability.extended(1, 1, 0xf00))
                  .vendorCapability(VendorCapability.extended(1, 1, 0xf00)));
    }

    @ParameterizedTest
    @CsvSource({"0x3c, 4", "0xfe, 4", "0xffe, 4", "0x10, 4", "-4, 4", "4096, 1"})
    void registersAreInsideOfOnePart(String offset, int bytes) {
      int at = Integer.decode(offset);
      assertThatThrownBy(() ->
              PciFunctionTest.declaration().configRegister(ConfigRegister.at(at, bytes)).build())
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith(
              "A config register, %d bytes at 0x%x of config space, has no free place there: "
                  .formatted(bytes, at));
    }

    @Test
    void twoCannotBeInOnePlace() {
      String otherwise =
          " of config space, has no free place there: its bytes are all in 0x40 to 0xff or all in 0x100 to 0xfff, and nobody else's.";
      refuses(
          "A config register, 4 bytes at 0x203" + otherwise,
          b ->
              b.configRegister(ConfigRegister.at(0x200, 4))
                  .configRegister(ConfigRegister.at(0x203, 4)));
      refuses(
          "A vendor-specific capability, 16 bytes at 0x200" + otherwise,
          b ->
              b.configRegister(ConfigRegister.at(0x20c, 4))
                  .vendorCapability(VendorCapability.extended(1, 1, 16).at(0x200)));
      refuses(
          "The begin of the extended list, 4 bytes at 0x100" + otherwise,
          b -> b.configRegister(ConfigRegister.at(0x102, 1)));
    }
  }

  @Nested
  final class Declarations {

    @Test
    void masksAreOfTheRegister() {
      assertThatThrownBy(() -> ConfigRegister.at(0x80, 2).writable(0x1_0000))
          .hasMessage(
              "The config register at 0x80 has 2 bytes, and a value or a mask that is wider.");
      assertThatThrownBy(() -> ConfigRegister.at(0x80, 9))
          .hasMessage("The config register at 0x80 has 1 to 8 bytes, not 9.");
      assertThatThrownBy(() -> ConfigRegister.at(0x80, 2).writable(1).clearedByOnes(3))
          .hasMessage(
              "The config register at 0x80 has a bit that is writable and cleared by ones at once.");
      assertThatThrownBy(() -> ConfigRegister.at(0x80, 2).writable(1).onRead(() -> 0))
          .hasMessage(
              "The config register at 0x80 is the endpoint's to read, so that nothing is stored and no mask means anything.");
    }

    @Test
    void capabilitiesHoldTheirRegisters() {
      assertThatThrownBy(() -> VendorCapability.standard(8, ConfigRegister.at(2, 1)))
          .hasMessage(
              "The register at 0x2 of a vendor-specific capability is not within its bytes 0x3 to 0x7, or on another one.");
      assertThatThrownBy(
              () -> VendorCapability.standard(8, ConfigRegister.at(4, 4), ConfigRegister.at(7, 1)))
          .hasMessage(
              "The register at 0x7 of a vendor-specific capability is not within its bytes 0x3 to 0x7, or on another one.");
      assertThatThrownBy(() -> VendorCapability.extended(1, 1, 7))
          .hasMessage("This vendor-specific capability has 8 to 4095 bytes, not 7.");
      assertThatThrownBy(() -> VendorCapability.standard(256))
          .hasMessage("This vendor-specific capability has 3 to 255 bytes, not 256.");
      assertThatThrownBy(() -> VendorCapability.standard(16).at(0x62))
          .hasMessage("A capability begins at a multiple of 4, not at 0x62.");
      assertThatThrownBy(() -> VendorCapability.extended(0x10000, 1, 16))
          .hasMessage(
              "A vendor-specific extended capability has 16 bits of ID and 4 of revision, not 0x10000 and 1.");
    }
  }

  @Nested
  final class Accesses {
    private final PciFunction function = declaration().build();
    private final ConfigAccess config = new ConfigAccess(function);

    @Test
    void storedBitsAreWrittenAndClearedAsDeclared() {
      config.write(CHANERRMSK_INT, 4, 0xffff_ffffL);
      assertThat(config.read32(CHANERRMSK_INT)).isEqualTo(0x1_ffff);
      function.setConfig(CHANERR_INT, 4, 0x1_00f3);
      config.write(CHANERR_INT, 4, 0x1_0003);
      assertThat(config.read32(CHANERR_INT)).isEqualTo(0xf0);
      assertThat(function.config(CHANERR_INT, 1)).isEqualTo(0xf0);
    }

    @Test
    void theEndpointIsToldWhatWasWrittenAndWhere() {
      config.write(CHANERRMSK_INT + 1, 2, 0xbeef);
      assertThat(told).containsExactly("mask 0xbeef00 of 0xffff00");
      assertThat(config.read32(CHANERRMSK_INT)).isEqualTo(0xef07);
    }

    @Test
    void anAccessOfManyRegistersTellsOfEachOnce() {
      config.write(CHANERR_INT, new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9});
      config.write(ASKED - 4, new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
      assertThat(told)
          .containsExactly(
              "mask 0x8070605 of 0xffffffff", "asked 0xc0b0a0908070605 of 0xffffffffffffffff");
    }

    @Test
    void whatTheEndpointAnswersIsRead() {
      assertThat(config.read(ASKED, 8)).isEqualTo(answer);
      assertThat(config.read(ASKED + 3, 2)).isEqualTo(0x5544);
      assertThat(config.read(ASKED - 2, 4)).isEqualTo(0x2211_0000);
      assertThat(config.read(ASKED + 7, 4)).isEqualTo(0x88);
      config.write(ASKED, 4, 7);
      assertThat(config.read(ASKED, 8)).as("nothing is stored").isEqualTo(answer);
      answer = 1;
      assertThat(config.read(ASKED, 8)).isEqualTo(1);
    }

    @Test
    void writersSeeWhatTheWriteStored() {
      List<Long> stored = new ArrayList<>();
      PciFunction[] self = new PciFunction[1];
      self[0] =
          PciFunctionTest.declaration()
              .configRegister(
                  ConfigRegister.at(0x200, 2)
                      .writable(0xff)
                      .onWrite((_, _) -> stored.add(self[0].config(0x200, 4))))
              .configRegister(ConfigRegister.at(0x202, 2).writable(0xff))
              .build();
      new ConfigAccess(self[0]).write(0x200, 4, 0x1234_5678);
      assertThat(stored).containsExactly(0x34_0078L);
    }

    @Test
    void aWriterIsToldBeforeTheHost() {
      List<String> order = config.events;
      PciFunction flr =
          PciFunctionTest.declaration()
              .configRegister(ConfigRegister.at(0xfc, 4).onWrite((_, _) -> order.add("told")))
              .build();
      ConfigAccess access = new ConfigAccess(flr);
      byte[] all = access.dump();
      all[0x59] |= (byte) 0x80;
      flr.writeConfig(0, ByteBuffer.wrap(all), config);
      assertThat(order).containsExactly("told", "FLR");
    }

    @Test
    void onlyWhatWasDeclaredToChangeChanges() {
      assertThatThrownBy(() -> function.setConfig(CHANERR_INT, 4, 0x2_0000))
          .hasMessage(
              "0x20000 at 0x180 of config space changes a bit that was not declared to change.");
      assertThatThrownBy(() -> function.setConfig(0x04, 2, 2))
          .hasMessage(
              "2 bytes at 0x4 of config space are not in a register of the endpoint's own.");
      assertThatThrownBy(() -> function.setConfig(CHANERR_INT, 8, 0))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> function.config(4092, 8))
          .isInstanceOf(IndexOutOfBoundsException.class);
      function.setConfig(DMA_ERROR + 1, 1, 0xff);
      assertThat(config.read32(DMA_ERROR)).isEqualTo(0xff00);
    }
  }

  @Nested
  final class StateOfIt {

    @ParameterizedTest
    @EnumSource
    void resetsTakeWhatIsNotKept(ResetKind kind) {
      PciFunction function = declaration().build();
      ConfigAccess config = new ConfigAccess(function);
      config.write(CHANERRMSK_INT, 4, 0x1_5555);
      function.setConfig(DMA_ERROR, 4, 0xff00);
      function.setConfig(CHANERR_INT, 4, 0x1_0000);

      function.reset(kind);

      assertThat(config.read32(DMA_ERROR)).isEqualTo(0x0f00);
      assertThat(config.read32(CHANERR_INT)).isEqualTo(0x1_0000);
      assertThat(config.read32(CHANERRMSK_INT))
          .isEqualTo(kind == ResetKind.BUS_OR_DEVICE ? 0x7 : 0x55);
    }

    @Test
    void itMovesWithTheFunction() throws Exception {
      PciFunctionBuilder builder =
          declaration().configRegister(ConfigRegister.at(0x300, 4).changedByDevice(0xf));
      PciFunction function = builder.build();
      ConfigAccess config = new ConfigAccess(function);
      config.write(CHANERRMSK_INT, 4, 0x1_5555);
      function.setConfig(CHANERR_INT, 4, 0x1_0000);
      function.setConfig(0x300, 4, 0x5);
      byte[] state = function.saveState();
      told.clear();

      PciFunction other = builder.build();
      other.restoreState(state);

      ConfigAccess there = new ConfigAccess(other);
      assertThat(there.read32(CHANERRMSK_INT)).isEqualTo(0x1_5555);
      assertThat(there.read32(CHANERR_INT)).isEqualTo(0x1_0000);
      assertThat(there.read32(0x300)).isEqualTo(0x5);
      assertThat(told).isEmpty();
      state[0x300] = 0x10;
      assertThatThrownBy(() -> other.restoreState(state)).isInstanceOf(InvalidStateException.class);
      byte[] ofAsked = function.saveState();
      ofAsked[ASKED] = 1;
      assertThatThrownBy(() -> other.restoreState(ofAsked))
          .isInstanceOf(InvalidStateException.class);
    }

    @Test
    void theDeclarationTellsFunctionsApart() {
      assertThat(declaration().build().configDeclaration())
          .isEqualTo(declaration().build().configDeclaration())
          .isNotEqualTo(PciFunctionTest.declaration().build().configDeclaration());
      assertThat(declaration().build().hasOwnConfig()).isTrue();
      assertThat(PciFunctionTest.declaration().build().hasOwnConfig()).isFalse();
    }
  }

  @Test
  void aVendorCapabilitysRegistersAreWhereItIs() {
    PciFunction function =
        PciFunctionTest.declaration()
            .vendorCapability(
                VendorCapability.standard(
                    20,
                    ConfigRegister.at(3, 1).initial(5),
                    ConfigRegister.at(4, 1).writable(0x7),
                    ConfigRegister.at(16, 4)
                        .onRead(() -> answer & 0xffff_ffffL)
                        .onWrite((value, mask) -> told("data", value, mask))))
            .build();
    int at = function.vendorCapabilities().getFirst();
    ConfigAccess config = new ConfigAccess(function);

    assertThat(Map.of(at, config.read(at, 4))).isEqualTo(Map.of(0x9c, 0x05_14_00_09L));
    config.write(at, new byte[] {1, 2, 3, 4, (byte) 0xff});
    assertThat(config.read(at, 5)).isEqualTo(0x07_05_14_00_09L);
    assertThat(config.read32(at + 16)).isEqualTo(0x4433_2211);
    config.write(at + 17, 1, 0xee);
    assertThat(told).containsExactly("data 0xee00 of 0xff00");
  }
}
