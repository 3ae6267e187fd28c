package dev.peerbar.scenario.flr;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import java.util.ArrayList;
import java.util.List;

/** Very many of one thing. */
final class Storms {
  private static final int MANY = 1000;

  /** Each takes the 10 ms twice that a kernel waits for a power state. */
  private static final int POWER_CYCLES = 40;

  private static final int EXPORTS = 64;

  /** So many apart are those of very many that are looked at. */
  private static final int LOOKED_AT = 20;

  private Storms() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "flr.storm-memory-off",
                "clear and set A's Memory Space Enable %d times".formatted(MANY),
                "the DMABUF is revoked and restored, as is seen each %dth time; A's registers are kept"
                    .formatted(LOOKED_AT),
                Storms::memoryOff)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                HbmPair.KIND,
                "flr.storm-d3hot",
                "have A in D3hot and in D0 again, %d times".formatted(POWER_CYCLES),
                "the DMABUF is revoked and restored each time, A's registers are cleared",
                Storms::d3hot)
            .needing(GuestFeature.DMABUF_IMPORT),
        Case.on(
                HbmPair.KIND,
                "flr.many-exports",
                "reset A while B has %d DMABUFs of it mapped".formatted(EXPORTS),
                "all are dead, and all can be mapped again",
                Storms::manyExports)
            .needing(GuestFeature.DMABUF_IMPORT));
  }

  private static String memoryOff(HbmPair pair) throws Exception {
    SmallCopy copy = new SmallCopy(pair);
    Registers registers = Registers.use(Function.a(pair));
    long on = pair.deviceA().readConfig(Header.COMMAND, AccessWidth.WORD);
    try (Lent lent = Lent.of(pair, SmallCopy.LENGTH)) {
      for (int i = 0; i < MANY; i++) {
        pair.deviceA()
            .writeConfig(Header.COMMAND, AccessWidth.WORD, on & ~Header.COMMAND_MEMORY_SPACE);
        boolean looked = i % LOOKED_AT == LOOKED_AT - 1;
        if (looked) {
          lent.expectRefused();
        }
        pair.deviceA().writeConfig(Header.COMMAND, AccessWidth.WORD, on);
        if (looked) {
          lent.mapAgain();
        }
      }
      registers.check(false, 0);
      copy.right(lent.iova());
      registers.checkWorks(false);
    }
    return MANY + " times";
  }

  private static String d3hot(HbmPair pair) throws Exception {
    SmallCopy copy = new SmallCopy(pair);
    Function a = Function.a(pair);
    Registers registers = Registers.use(a);
    try (Lent lent = Lent.of(pair, SmallCopy.LENGTH)) {
      for (int i = 0; i < POWER_CYCLES; i++) {
        Upset.D3HOT.begin(a);
        lent.expectRefused();
        Upset.D3HOT.end(a);
        registers.check(true, 0);
        lent.mapAgain();
        pair.a().write(HbmRegisters.SCRATCH, i);
        copy.right(lent.iova());
      }
      pair.a().write(HbmRegisters.SCRATCH, 0);
      registers.checkWorks(true);
    }
    return POWER_CYCLES + " times";
  }

  private static String manyExports(HbmPair pair) throws Exception {
    SmallCopy copy = new SmallCopy(pair);
    Registers registers = Registers.use(Function.a(pair));
    List<Lent> all = new ArrayList<>();
    try {
      for (int i = 0; i < EXPORTS; i++) {
        all.add(Lent.of(pair, i * SmallCopy.LENGTH, SmallCopy.LENGTH));
      }
      pair.run().record("reset", pair.deviceA().vfio().reset());
      registers.check(true, 1);
      for (Lent lent : all) {
        lent.expectCutOff(copy.out(), SmallCopy.LENGTH);
      }
      for (Lent lent : all) {
        lent.mapAgain();
      }
      for (int i = 0; i < EXPORTS; i++) {
        copy.right(all.get(i).iova(), i * SmallCopy.LENGTH);
      }
    } finally {
      for (Lent lent : all) {
        lent.close();
      }
    }
    return EXPORTS + " DMABUFs";
  }
}
