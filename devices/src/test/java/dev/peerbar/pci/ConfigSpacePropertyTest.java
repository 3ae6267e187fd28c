package dev.peerbar.pci;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;

/** Whatever a client writes, config space stays one that a driver can walk. */
final class ConfigSpacePropertyTest {

  /** A write, or a reset if {@code reset} is not null. */
  record Change(int offset, byte[] bytes, ResetKind reset) {}

  /** All that can be declared, but for what is the endpoint's to answer. */
  private static PciFunctionBuilder declaration() {
    return PciFunctionTest.declaration()
        .msi(16)
        .configRegister(ConfigRegister.at(0x14c, 4).writable(0xff00ff).keptByFunctionReset(0xff))
        .configRegister(ConfigRegister.at(0x155, 3).clearedByOnes(0xff).sticky(0xf0))
        .vendorCapability(
            VendorCapability.standard(12, ConfigRegister.at(4, 8).initial(3).writable(0xff)))
        .vendorCapability(
            VendorCapability.extended(1, 1, 16, ConfigRegister.at(8, 8).changedByDevice(0xff)));
  }

  @Property(tries = 300, seed = "1")
  void readOnlyBitsNeverChange(@ForAll("steps") List<Change> steps) {
    PciFunction function = declaration().build();
    ConfigAccess config = new ConfigAccess(function);
    byte[] readOnly = function.space().readOnlyMask();
    byte[] before = config.dump();
    Map<Integer, Integer> standard = config.standardCapabilities();
    Map<String, Integer> extended = config.extendedCapabilities();

    for (Change step : steps) {
      if (step.reset != null) {
        function.reset(step.reset);
      } else {
        config.write(step.offset, step.bytes);
      }
    }

    byte[] after = config.dump();
    for (int at = 0; at < after.length; at++) {
      assertThat(after[at] & readOnly[at])
          .as("read-only bits at 0x%x", at)
          .isEqualTo(before[at] & readOnly[at]);
    }
    assertThat(config.standardCapabilities()).isEqualTo(standard);
    assertThat(config.extendedCapabilities()).isEqualTo(extended);
  }

  @Property(tries = 300, seed = "1")
  void pieceByPieceIsTheSameAsAtOnce(
      @ForAll("steps") List<Change> steps, @ForAll("writes") Change last) {
    PciFunction whole = declaration().build();
    PciFunction pieces = declaration().build();
    for (Change step : steps) {
      if (step.reset == null) {
        new ConfigAccess(whole).write(step.offset, step.bytes);
        new ConfigAccess(pieces).write(step.offset, step.bytes);
      }
    }

    new ConfigAccess(whole).write(last.offset, last.bytes);
    for (int i = 0; i < last.bytes.length; i++) {
      new ConfigAccess(pieces).write(last.offset + i, new byte[] {last.bytes[i]});
    }

    assertThat(new ConfigAccess(pieces).dump()).isEqualTo(new ConfigAccess(whole).dump());
  }

  @Property(tries = 300, seed = "1")
  void whatIsSavedIsAllThatCanChange(@ForAll("steps") List<Change> steps) throws Exception {
    PciFunction function = declaration().build();
    for (Change step : steps) {
      if (step.reset != null) {
        function.reset(step.reset);
      } else {
        new ConfigAccess(function).write(step.offset, step.bytes);
      }
    }

    PciFunction another = declaration().build();
    another.restoreState(function.saveState());

    assertThat(new ConfigAccess(another).dump()).isEqualTo(new ConfigAccess(function).dump());
    assertThat(another.saveState()).isEqualTo(function.saveState());
  }

  @Property(tries = 300, seed = "1")
  void noStateThatIsTakenOnChangesConstantBits(@ForAll int at, @ForAll byte value) {
    PciFunction function = declaration().build();
    byte[] before = new ConfigAccess(function).dump();
    byte[] constant = function.space().constantMask();
    byte[] state = function.saveState();
    int offset = Math.floorMod(at, state.length);
    state[offset] = value;
    boolean taken;
    try {
      function.restoreState(state);
      taken = true;
    } catch (InvalidStateException e) {
      taken = false;
    }

    byte[] after = new ConfigAccess(function).dump();
    assertThat(after[offset] & constant[offset]).isEqualTo(before[offset] & constant[offset]);
    if (!taken) {
      assertThat(after).isEqualTo(before);
    }
  }

  @Provide
  Arbitrary<List<Change>> steps() {
    Arbitrary<Change> resets =
        Arbitraries.of(ResetKind.class).map(kind -> new Change(0, new byte[0], kind));
    return Arbitraries.frequencyOf(Tuple.of(9, writes()), Tuple.of(1, resets)).list().ofMaxSize(20);
  }

  /** Mostly where registers are, of any length and alignment. */
  @Provide
  Arbitrary<Change> writes() {
    Arbitrary<Integer> offsets =
        Arbitraries.oneOf(
            Arbitraries.integers().between(0, 0x160),
            Arbitraries.integers().between(0, PciFunction.CONFIG_SPACE_SIZE - 1));
    Arbitrary<byte[]> bytes =
        Arbitraries.oneOf(
                Arbitraries.bytes(), Arbitraries.of((byte) 0xff, (byte) 0x80, (byte) 0x03))
            .array(byte[].class)
            .ofMinSize(1)
            .ofMaxSize(64);
    return Combinators.combine(offsets, bytes)
        .as((offset, values) -> {
          int room = PciFunction.CONFIG_SPACE_SIZE - offset;
          return new Change(offset, Arrays.copyOf(values, Math.min(values.length, room)), null);
        });
  }
}
