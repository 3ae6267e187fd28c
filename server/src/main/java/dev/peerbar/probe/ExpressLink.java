package dev.peerbar.probe;

import static dev.peerbar.pci.ConfigLayout.Express.LINK_CAPABILITIES;
import static dev.peerbar.pci.ConfigLayout.Express.LINK_CAPABILITIES_2;
import static dev.peerbar.pci.ConfigLayout.Express.LINK_CONTROL;
import static dev.peerbar.pci.ConfigLayout.Express.LINK_CONTROL_2;
import static dev.peerbar.pci.ConfigLayout.Express.LINK_STATUS;
import static dev.peerbar.pci.ConfigLayout.Express.LINK_STATUS_2;

import dev.peerbar.probe.Register.Flag;
import java.util.List;

/** The link's registers of the PCI Express capability (PCIe 6.0 7.5.3.6 to 8, 18 to 20). */
final class ExpressLink {

  private static final int ASPM_L0S = 1;
  private static final int ASPM_L1 = 1 << 1;

  private static final String[] ASPM_SUPPORT = {"not supported", "L0s", "L1", "L0s L1"};
  private static final String[] ASPM_ENABLED = {
    "Disabled", "L0s Enabled", "L1 Enabled", "L0s L1 Enabled"
  };

  private static final String[] COMPLIANCE_PRESETS = {
    "-6dB de-emphasis, 0dB preshoot",
    "-3.5dB de-emphasis, 0dB preshoot",
    "-4.4dB de-emphasis, 0dB preshoot",
    "-2.5dB de-emphasis, 0dB preshoot",
    "0dB de-emphasis, 0dB preshoot",
    "0dB de-emphasis, 1.9dB preshoot",
    "0dB de-emphasis, 2.5dB preshoot",
    "-6.0dB de-emphasis, 3.5dB preshoot",
    "-3.5dB de-emphasis, 3.5dB preshoot",
    "0dB de-emphasis, 3.5dB preshoot"
  };

  private ExpressLink() {}

  /** Those that every link has. */
  static void decode(ConfigBytes config, int at, int type, List<Register> registers) {
    int capabilities = config.longAt(at + LINK_CAPABILITIES);
    registers.add(capabilities(capabilities));
    registers.add(control(config.wordAt(at + LINK_CONTROL), type));
    registers.add(status(config.wordAt(at + LINK_STATUS), capabilities));
  }

  /** Those of version 2. */
  static void decodeSecond(ConfigBytes config, int at, List<Register> registers) {
    int capabilities = config.longAt(at + LINK_CAPABILITIES_2);
    if (capabilities != 0) {
      registers.add(capabilities2(capabilities));
    }
    registers.add(control2(config.wordAt(at + LINK_CONTROL_2)));
    registers.add(status2(config.wordAt(at + LINK_STATUS_2)));
  }

  private static Register capabilities(int bits) {
    int aspm = bits >>> 10 & 0x3;
    Register.Writer text =
        new Register.Writer("LnkCap", "LnkCap:\tPort #", bits)
            .value("Port", bits >>> 24)
            .say(", Speed ")
            .value("Speed", speed(bits & 0xf))
            .say(", Width x")
            .value("Width", bits >>> 4 & 0x3f)
            .say(", ASPM ")
            .value("ASPM", ASPM_SUPPORT[aspm]);
    if (aspm != 0) {
      text.say(", Exit Latency ");
      if ((aspm & ASPM_L0S) != 0) {
        text.say("L0s ").value("Exit Latency L0s", Express.l0s(bits >>> 12));
      }
      if ((aspm & ASPM_L1) != 0) {
        text.say((aspm & ASPM_L0S) != 0 ? ", L1 " : "L1 ")
            .value("Exit Latency L1", Express.l1(bits >>> 15));
      }
    }
    return text.say("\n\t\t\t")
        .flags(
            new Flag("ClockPM", 1 << 18),
            new Flag("Surprise", 1 << 19),
            new Flag("LLActRep", 1 << 20),
            new Flag("BwNot", 1 << 21),
            new Flag("ASPMOptComp", 1 << 22))
        .end();
  }

  private static Register control(int bits, int type) {
    Register.Writer text =
        new Register.Writer("LnkCtl", "LnkCtl:\tASPM ", bits)
            .value("ASPM", ASPM_ENABLED[bits & 0x3])
            .say(";");
    if (Express.isLinkedEndpoint(type)) {
      text.say(" RCB ").value("RCB", (bits & 1 << 3) != 0 ? 128 : 64).say(" bytes,");
    }
    return text.flags(new Flag("Disabled", 1 << 4), new Flag("CommClk", 1 << 6))
        .say("\n\t\t\t")
        .flags(
            new Flag("ExtSynch", 1 << 7),
            new Flag("ClockPM", 1 << 8),
            new Flag("AutWidDis", 1 << 9),
            new Flag("BWInt", 1 << 10),
            new Flag("AutBWInt", 1 << 11))
        .end();
  }

  private static Register status(int bits, int capabilities) {
    int speed = bits & 0xf;
    int width = bits >>> 4 & 0x3f;
    return new Register.Writer("LnkSta", "LnkSta:\tSpeed ", bits)
        .value("Speed", speed(speed))
        .say(comparison(speed, capabilities & 0xf))
        .say(", Width x")
        .value("Width", width)
        .say(comparison(width, capabilities >>> 4 & 0x3f))
        .say("\n\t\t\t")
        .flags(
            new Flag("TrErr", 1 << 10),
            new Flag("Train", 1 << 11),
            new Flag("SlotClk", 1 << 12),
            new Flag("DLActive", 1 << 13),
            new Flag("BWMgmt", 1 << 14),
            new Flag("ABWMgmt", 1 << 15))
        .end();
  }

  private static String comparison(int actual, int possible) {
    if (actual == possible) {
      return "";
    }
    return actual > possible ? " (overdriven)" : " (downgraded)";
  }

  private static String speed(int code) {
    return speed(code, "unknown");
  }

  private static String speed(int code, String unknown) {
    return switch (code) {
      case 1 -> "2.5GT/s";
      case 2 -> "5GT/s";
      case 3 -> "8GT/s";
      case 4 -> "16GT/s";
      case 5 -> "32GT/s";
      case 6 -> "64GT/s";
      default -> unknown;
    };
  }

  private static Register capabilities2(int bits) {
    return new Register.Writer("LnkCap2", "LnkCap2: Supported Link Speeds: ", bits)
        .value("Supported Link Speeds", speeds(bits >>> 1 & 0x7f))
        .say(",")
        .flags(
            new Flag("Crosslink", 1 << 8),
            new Flag("Retimer", 1 << 23),
            new Flag("2Retimers", 1 << 24),
            new Flag("DRS", 1 << 31))
        .end();
  }

  /** A link has every speed up to its highest (PCIe 6.0 8.2.1), so one bit says it all. */
  private static String speeds(int vector) {
    int highest = Integer.SIZE - Integer.numberOfLeadingZeros(vector);
    return switch (highest) {
      case 0 -> "Unknown";
      case 1 -> "2.5GT/s";
      case 6, 7 -> "RsvdP";
      default -> "2.5-" + speed(highest);
    };
  }

  private static Register control2(int bits) {
    int preset = bits >>> 12 & 0xf;
    return new Register.Writer("LnkCtl2", "LnkCtl2: Target Link Speed: ", bits)
        .value("Target Link Speed", speed(Math.max(1, bits & 0xf), "Unknown"))
        .say(",")
        .flags(new Flag("EnterCompliance", 1 << 4), new Flag("SpeedDis", 1 << 5))
        .say("\n\t\t\t Transmit Margin: ")
        .value("Transmit Margin", margin(bits >>> 7 & 0x7))
        .say(",")
        .flags(new Flag("EnterModifiedCompliance", 1 << 10), new Flag("ComplianceSOS", 1 << 11))
        .say("\n\t\t\t Compliance Preset/De-emphasis: ")
        .value(
            "Compliance Preset/De-emphasis",
            preset < COMPLIANCE_PRESETS.length ? COMPLIANCE_PRESETS[preset] : "Unknown")
        .end();
  }

  private static String margin(int code) {
    return switch (code) {
      case 0 -> "Normal Operating Range";
      case 1 -> "800-1200mV(full-swing)/400-700mV(half-swing)";
      case 2, 3, 4, 5 -> "200-400mV(full-swing)/100-200mV(half-swing)";
      default -> "Unknown";
    };
  }

  private static Register status2(int bits) {
    return new Register.Writer("LnkSta2", "LnkSta2: Current De-emphasis Level: ", bits)
        .value("Current De-emphasis Level", (bits & 1) != 0 ? "-3.5dB" : "-6dB")
        .say(",")
        .flags(new Flag("EqualizationComplete", 1 << 1), new Flag("EqualizationPhase1", 1 << 2))
        .say("\n\t\t\t ")
        .flags(
            new Flag("EqualizationPhase2", 1 << 3),
            new Flag("EqualizationPhase3", 1 << 4),
            new Flag("LinkEqualizationRequest", 1 << 5))
        .say("\n\t\t\t ")
        .flags(new Flag("Retimer", 1 << 6), new Flag("2Retimers", 1 << 7))
        .say(" CrosslinkRes: ")
        .value("CrosslinkRes", crosslink(bits >>> 8 & 0x3))
        .end();
  }

  private static String crosslink(int code) {
    return switch (code) {
      case 0 -> "unsupported";
      case 1 -> "Upstream Port";
      case 2 -> "Downstream Port";
      default -> "incomplete";
    };
  }
}
