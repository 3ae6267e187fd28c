package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Misbehaving;
import dev.peerbar.server.fault.Fault;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Functions that do not answer, as if they had fallen off their bus. */
final class NoAnswer {
  private static final int ALL_ONES = -1;
  private static final int KEPT = 0x1ee7;

  private NoAnswer() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            HbmPair.KIND,
            "fault.off-the-bus",
            "have A answer nothing: config space and registers",
            "the guest reads all ones, what it writes is lost, mapped memory and B work on; A comes"
                + " back as it was",
            NoAnswer::offTheBus),
        Case.on(
            HbmPair.KIND,
            "fault.registers-all-ones",
            "have A's registers answer nothing, and reset it",
            "config space still works, and so does the reset",
            NoAnswer::onlyRegisters));
  }

  private static int vendorAndDevice(HbmPair pair) throws Exception {
    return pair.deviceA().vfio().pci().config().getInt(Header.VENDOR_ID);
  }

  private static String offTheBus(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkA();
    int identity = vendorAndDevice(pair);
    pair.a().write(HbmRegisters.SCRATCH, KEPT);
    try (Misbehaving _ = Misbehaving.by(pair.serverA(), new Fault.AllOnes(true, true))) {
      int seen = vendorAndDevice(pair);
      unless(seen == ALL_ONES, "config space begins with 0x%x", seen);
      checkRegisters(pair);
      pair.memoryOfA().set(ValueLayout.JAVA_LONG, 0, KEPT);
      long loaded = pair.deviceA().bar(HbmRegisters.MEMORY_BAR).loadLong(0);
      unless(loaded == KEPT, "0x%x in A's memory", loaded);
      sound.checkB();
    }
    int scratch = pair.a().read(HbmRegisters.SCRATCH);
    int seen = vendorAndDevice(pair);
    unless(seen == identity && scratch == KEPT, "ids 0x%x, SCRATCH 0x%x", seen, scratch);
    sound.checkA();
    return "all ones, and 0x%08x again".formatted(identity);
  }

  private static void checkRegisters(HbmPair pair) throws Exception {
    pair.a().write(HbmRegisters.SCRATCH, 0);
    int id = pair.a().read(HbmRegisters.ID);
    int scratch = pair.a().read(HbmRegisters.SCRATCH);
    unless(id == ALL_ONES && scratch == ALL_ONES, "ID 0x%x, SCRATCH 0x%x", id, scratch);
  }

  private static String onlyRegisters(HbmPair pair) throws Exception {
    SoundPair sound = new SoundPair(pair);
    sound.checkA();
    int identity = vendorAndDevice(pair);
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    try (Misbehaving _ = Misbehaving.by(pair.serverA(), new Fault.AllOnes(false, true))) {
      checkRegisters(pair);
      int seen = vendorAndDevice(pair);
      unless(seen == identity, "config space begins with 0x%x", seen);
      pair.deviceA().reset();
      checkRegisters(pair);
    }
    int after = pair.a().read(HbmRegisters.RESET_COUNT);
    unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
    sound.checkResetA();
    return "RESET_COUNT " + after;
  }
}
