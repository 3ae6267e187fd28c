package dev.peerbar.probe;

import static dev.peerbar.pci.ConfigLayout.PowerManagement.CAPABILITIES;
import static dev.peerbar.pci.ConfigLayout.PowerManagement.CONTROL_STATUS;
import static dev.peerbar.pci.ConfigLayout.PowerManagement.LENGTH;
import static dev.peerbar.pci.ConfigLayout.PowerManagement.POWER_STATE;

import dev.peerbar.probe.Capability.Decoded;
import dev.peerbar.probe.Register.Flag;
import java.util.ArrayList;
import java.util.List;

/** Power Management (PCIe 6.0 7.5.2). */
final class PowerManagement {
  private static final String NAME = "Power Management";

  private static final int BRIDGE = 6;

  private static final int VERSION = 0x7;
  private static final int[] AUX_MILLIAMPERES = {0, 55, 100, 160, 220, 270, 320, 375};

  private PowerManagement() {}

  static Decoded decode(ConfigBytes config, int at) {
    int capabilities = config.wordAt(at + CAPABILITIES);
    Register title =
        new Register.Writer(NAME, NAME + " version ", capabilities)
            .value("version", capabilities & VERSION)
            .end();
    List<Register> registers = new ArrayList<>();
    registers.add(flags(capabilities));
    if (config.has(at + CONTROL_STATUS, LENGTH - CONTROL_STATUS)) {
      registers.add(status(config.wordAt(at + CONTROL_STATUS)));
      int bridge = config.byteAt(at + BRIDGE);
      if (bridge != 0) {
        registers.add(bridge(bridge));
      }
    }
    return new Decoded(NAME, title, registers);
  }

  private static Register flags(int capabilities) {
    return new Register.Writer("Flags", "Flags: ", capabilities)
        .flags(
            new Flag("PMEClk", 1 << 3),
            new Flag("DSI", 1 << 5),
            new Flag("D1", 1 << 9),
            new Flag("D2", 1 << 10))
        .say(" AuxCurrent=")
        .value("AuxCurrent", AUX_MILLIAMPERES[capabilities >>> 6 & 0x7])
        .say("mA PME(")
        .flag("PME-D0", "D0", 1 << 11)
        .flag("PME-D1", ",D1", 1 << 12)
        .flag("PME-D2", ",D2", 1 << 13)
        .flag("PME-D3hot", ",D3hot", 1 << 14)
        .flag("PME-D3cold", ",D3cold", 1 << 15)
        .say(")")
        .end();
  }

  private static Register status(int control) {
    return new Register.Writer("Status", "Status: ", control)
        .value("State", "D" + (control & POWER_STATE))
        .flags(new Flag("NoSoftRst", 1 << 3), new Flag("PME-Enable", 1 << 8))
        .say(" DSel=")
        .value("DSel", control >>> 9 & 0xf)
        .say(" DScale=")
        .value("DScale", control >>> 13 & 0x3)
        .flags(new Flag("PME", 1 << 15))
        .end();
  }

  private static Register bridge(int extensions) {
    // lspci's B3 is the absence of the bit.
    return new Register.Writer("Bridge", "Bridge: ", extensions ^ 1 << 6)
        .flags(new Flag("PM", 1 << 7), new Flag("B3", 1 << 6))
        .end();
  }
}
