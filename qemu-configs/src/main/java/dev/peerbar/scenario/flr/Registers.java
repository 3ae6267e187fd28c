package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import java.util.ArrayList;
import java.util.List;

/**
 * Registers of a function that hold something, so that it can be seen whether a reset clears them.
 */
final class Registers {
  /** One that nothing else here uses. */
  private static final int CHANNEL = 2;

  private static final int ENTRIES = 32;
  private static final int MARK = 0x5c7a7c4;

  private final Function function;
  private final HbmDriver driver;
  private final HbmChannel channel;
  private final List<Long> registers;
  private final List<Integer> held = new ArrayList<>();
  private final int resets;

  private Registers(Function function, HbmChannel channel) throws Exception {
    this.function = function;
    driver = function.driver();
    this.channel = channel;
    registers = new ArrayList<>();
    registers.add(HbmRegisters.SCRATCH);
    registers.add(channel.register(HbmRegisters.CTRL));
    registers.add(channel.register(HbmRegisters.RING_BASE));
    registers.add(channel.register(HbmRegisters.RING_BASE) + Integer.BYTES);
    registers.add(channel.register(HbmRegisters.HEAD));
    registers.add(channel.register(HbmRegisters.COMPLETED));
    if (function.doorbellsReadBack()) {
      registers.add(channel.doorbell());
    }
    for (long register : registers) {
      held.add(driver.read(register));
    }
    resets = driver.read(HbmRegisters.RESET_COUNT);
  }

  /** Has registers of a function hold something. */
  static Registers use(Function function) throws Exception {
    HbmChannel channel = function.driver().channel(CHANNEL, ENTRIES).enable();
    channel.run(Descriptor.nop().interrupt());
    function.driver().write(HbmRegisters.SCRATCH, MARK);
    Registers registers = new Registers(function, channel);
    registers.checkHeld();
    return registers;
  }

  private void checkHeld() throws Exception {
    for (int i = 0; i < held.size(); i++) {
      boolean upperHalf =
          registers.get(i) == channel.register(HbmRegisters.RING_BASE) + Integer.BYTES;
      unless(upperHalf || held.get(i) != 0, "%s", line(i, held.get(i)));
    }
  }

  /** They are cleared, or as they were, and the count of resets has gone up by so many. */
  void check(boolean cleared, int more) throws Exception {
    for (int i = 0; i < held.size(); i++) {
      int value = driver.read(registers.get(i));
      unless(value == (cleared ? 0 : held.get(i)), "%s", line(i, value));
    }
    int after = driver.read(HbmRegisters.RESET_COUNT);
    unless(
        after == resets + more,
        "%s's RESET_COUNT went from %d to %d",
        function.name(),
        resets,
        after);
  }

  /** The function works, from where it is, or from the beginning if the registers are cleared. */
  void checkWorks(boolean cleared) throws Exception {
    if (cleared) {
      channel.enable();
    }
    channel.run(Descriptor.nop().interrupt());
  }

  /** RESET_COUNT now. */
  int resets() throws Exception {
    return driver.read(HbmRegisters.RESET_COUNT);
  }

  private String line(int index, int value) {
    return "%s's register 0x%x holds 0x%x, and held 0x%x"
        .formatted(function.name(), registers.get(index), value, held.get(index));
  }
}
