package dev.peerbar.probe;

import static dev.peerbar.pci.ConfigLayout.Express.CAPABILITIES;
import static dev.peerbar.pci.ConfigLayout.Express.DEVICE_CAPABILITIES;
import static dev.peerbar.pci.ConfigLayout.Express.DEVICE_CAPABILITIES_2;
import static dev.peerbar.pci.ConfigLayout.Express.DEVICE_CONTROL;
import static dev.peerbar.pci.ConfigLayout.Express.DEVICE_CONTROL_2;
import static dev.peerbar.pci.ConfigLayout.Express.DEVICE_STATUS;
import static dev.peerbar.pci.ConfigLayout.Express.FUNCTION_LEVEL_RESET_CAPABLE;

import dev.peerbar.probe.Capability.Decoded;
import dev.peerbar.probe.Register.Flag;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;

/**
 * PCI Express (PCIe 6.0 7.5.3): what it is, and the device's registers. A vfio-user device is an
 * endpoint: slot and root registers are not decoded.
 */
final class Express {
  private static final String NAME = "Express";

  /** Device/Port Type (PCIe 6.0 table 7-19). */
  static final int ENDPOINT = 0x0;

  static final int LEGACY_ENDPOINT = 0x1;
  static final int INTEGRATED_ENDPOINT = 0x9;
  static final int EVENT_COLLECTOR = 0xa;

  /** Of the first and of the second set of registers of an endpoint, in bytes. */
  private static final int SET_LENGTH = 16;

  private static final int VERSION = 0xf;

  private static final String[] L0S_LATENCIES = {
    "<64ns", "<128ns", "<256ns", "<512ns", "<1us", "<2us", "<4us", "unlimited"
  };
  private static final String[] L1_LATENCIES = {
    "<1us", "<2us", "<4us", "<8us", "<16us", "<32us", "<64us", "unlimited"
  };

  private Express() {}

  static Decoded decode(ConfigBytes config, int at, boolean memoryBar) {
    int capabilities = config.wordAt(at + CAPABILITIES);
    int type = capabilities >>> 4 & 0xf;
    int version = capabilities & VERSION;
    int message = capabilities >>> 9 & 0x1f;
    Register title =
        new Register.Writer(NAME, NAME + " (v", capabilities)
            .value("version", version)
            .say(") ")
            .value("type", typeName(type))
            .say(", MSI ")
            .value("MSI", message, "%02x".formatted(message))
            .end();
    List<Register> registers = new ArrayList<>();
    boolean link = type != INTEGRATED_ENDPOINT && type != EVENT_COLLECTOR;
    if (config.has(at + DEVICE_CAPABILITIES, SET_LENGTH)) {
      device(config, at, type, registers);
      if (link) {
        ExpressLink.decode(config, at, type, registers);
      }
      if (version >= 2 && config.has(at + DEVICE_CAPABILITIES_2, SET_LENGTH)) {
        registers.add(
            deviceCapabilities2(config.longAt(at + DEVICE_CAPABILITIES_2), type, memoryBar));
        registers.add(deviceControl2(config.wordAt(at + DEVICE_CONTROL_2), type));
        if (link) {
          ExpressLink.decodeSecond(config, at, registers);
        }
      }
    }
    return new Decoded(NAME, title, registers);
  }

  private static String typeName(int type) {
    return switch (type) {
      case ENDPOINT -> "Endpoint";
      case LEGACY_ENDPOINT -> "Legacy Endpoint";
      case 0x4 -> "Root Port";
      case 0x5 -> "Upstream Port";
      case 0x6 -> "Downstream Port";
      case 0x7 -> "PCI-Express to PCI/PCI-X Bridge";
      case 0x8 -> "PCI/PCI-X to PCI-Express Bridge";
      case INTEGRATED_ENDPOINT -> "Root Complex Integrated Endpoint";
      case EVENT_COLLECTOR -> "Root Complex Event Collector";
      default -> "Unknown type " + type;
    };
  }

  /** Whether it is an endpoint behind a link. */
  static boolean isLinkedEndpoint(int type) {
    return type == ENDPOINT || type == LEGACY_ENDPOINT;
  }

  private static boolean isEndpoint(int type) {
    return isLinkedEndpoint(type) || type == INTEGRATED_ENDPOINT;
  }

  static String l0s(int code) {
    return L0S_LATENCIES[code & 0x7];
  }

  static String l1(int code) {
    return L1_LATENCIES[code & 0x7];
  }

  private static void device(ConfigBytes config, int at, int type, List<Register> registers) {
    int capabilities = config.longAt(at + DEVICE_CAPABILITIES);
    registers.add(deviceCapabilities(capabilities, type));
    registers.add(
        deviceControl(
            config.wordAt(at + DEVICE_CONTROL),
            isEndpoint(type) && (capabilities & FUNCTION_LEVEL_RESET_CAPABLE) != 0));
    registers.add(deviceStatus(config.wordAt(at + DEVICE_STATUS)));
  }

  private static Register deviceCapabilities(int bits, int type) {
    Register.Writer text =
        new Register.Writer("DevCap", "DevCap:\tMaxPayload ", bits)
            .value("MaxPayload", 128 << (bits & 0x7))
            .say(" bytes, PhantFunc ")
            .value("PhantFunc", (1 << (bits >>> 3 & 0x3)) - 1);
    if (isLinkedEndpoint(type)) {
      text.say(", Latency L0s ")
          .value("Latency L0s", l0s(bits >>> 6))
          .say(", L1 ")
          .value("Latency L1", l1(bits >>> 9));
    }
    text.say("\n\t\t\t").flags(new Flag("ExtTag", 1 << 5));
    if (isLinkedEndpoint(type)) {
      text.flags(
          new Flag("AttnBtn", 1 << 12), new Flag("AttnInd", 1 << 13), new Flag("PwrInd", 1 << 14));
    }
    text.flags(new Flag("RBE", 1 << 15));
    if (isEndpoint(type)) {
      text.flags(new Flag("FLReset", FUNCTION_LEVEL_RESET_CAPABLE));
    }
    if (type == ENDPOINT) {
      text.say(" SlotPowerLimit ")
          .value("SlotPowerLimit", powerLimit(bits >>> 18 & 0xff, bits >>> 26 & 0x3));
    }
    return text.end();
  }

  /** Watts (PCIe 6.0 7.5.3.9): a number and where its decimal point is, or a code for much. */
  private static String powerLimit(int value, int scale) {
    if (scale == 0 && value == 0xff) {
      return ">600W";
    }
    int watts = scale == 0 && value >= 0xf0 ? 250 + 25 * (value - 0xf0) : value;
    if (watts == 0) {
      return "0W";
    }
    return BigDecimal.valueOf(watts, scale).stripTrailingZeros().toPlainString() + "W";
  }

  private static Register deviceControl(int bits, boolean functionReset) {
    Register.Writer text =
        new Register.Writer("DevCtl", "DevCtl:\t", bits)
            .flags(
                new Flag("CorrErr", 1),
                new Flag("NonFatalErr", 1 << 1),
                new Flag("FatalErr", 1 << 2),
                new Flag("UnsupReq", 1 << 3))
            .say("\n\t\t\t")
            .flags(
                new Flag("RlxdOrd", 1 << 4),
                new Flag("ExtTag", 1 << 8),
                new Flag("PhantFunc", 1 << 9),
                new Flag("AuxPwr", 1 << 10),
                new Flag("NoSnoop", 1 << 11));
    if (functionReset) {
      text.flags(new Flag("FLReset", 1 << 15));
    }
    return text.say("\n\t\t\tMaxPayload ")
        .value("MaxPayload", 128 << (bits >>> 5 & 0x7))
        .say(" bytes, MaxReadReq ")
        .value("MaxReadReq", 128 << (bits >>> 12 & 0x7))
        .say(" bytes")
        .end();
  }

  private static Register deviceStatus(int bits) {
    return new Register.Writer("DevSta", "DevSta:\t", bits)
        .flags(
            new Flag("CorrErr", 1),
            new Flag("NonFatalErr", 1 << 1),
            new Flag("FatalErr", 1 << 2),
            new Flag("UnsupReq", 1 << 3),
            new Flag("AuxPwr", 1 << 4),
            new Flag("TransPend", 1 << 5))
        .end();
  }

  private static Register deviceCapabilities2(int bits, int type, boolean memoryBar) {
    Register.Writer text =
        new Register.Writer("DevCap2", "DevCap2: Completion Timeout: ", bits)
            .value("Completion Timeout", timeoutRanges(bits & 0xf))
            .say(",")
            .flags(
                new Flag("TimeoutDis", 1 << 4),
                new Flag("NROPrPrP", 1 << 10),
                new Flag("LTR", 1 << 11))
            .say("\n\t\t\t ")
            .flags(new Flag("10BitTagComp", 1 << 16), new Flag("10BitTagReq", 1 << 17))
            .say(" OBFF ")
            .value("OBFF", obffSupport(bits >>> 18 & 0x3))
            .say(",")
            .flags(new Flag("ExtFmt", 1 << 20), new Flag("EETLPPrefix", 1 << 21));
    if ((bits & 1 << 21) != 0) {
      int most = bits >>> 22 & 0x3;
      text.say(", MaxEETLPPrefixes ").value("MaxEETLPPrefixes", most == 0 ? 4 : most);
    }
    text.say("\n\t\t\t EmergencyPowerReduction ")
        .value("EmergencyPowerReduction", emergencyPowerReduction(bits >>> 24 & 0x3))
        .say(",")
        .flags(new Flag("EmergencyPowerReductionInit", 1 << 26))
        .say("\n\t\t\t ")
        .flags(new Flag("FRS", 1 << 31));
    if (type == ENDPOINT) {
      // Both bits of one field: the code 1 is one alone, 3 is both, 2 is reserved.
      int completer = bits >>> 12 & 0x3;
      text.say(" ");
      if (completer != 2) {
        text.value("TPHComp", completer != 0, completer != 0 ? "TPHComp+" : "TPHComp-")
            .value("ExtTPHComp", completer == 3, completer == 3 ? " ExtTPHComp+" : " ExtTPHComp-");
      }
    }
    if (memoryBar) {
      text.say("\n\t\t\t AtomicOpsCap:")
          .flags(
              new Flag("32bit", 1 << 7), new Flag("64bit", 1 << 8), new Flag("128bitCAS", 1 << 9));
    }
    return text.end();
  }

  private static Register deviceControl2(int bits, int type) {
    Register.Writer text =
        new Register.Writer("DevCtl2", "DevCtl2: Completion Timeout: ", bits)
            .value("Completion Timeout", timeoutValue(bits & 0xf))
            .say(",")
            .flags(
                new Flag("TimeoutDis", 1 << 4),
                new Flag("LTR", 1 << 10),
                new Flag("10BitTagReq", 1 << 12))
            .say(" OBFF ")
            .value("OBFF", obffEnabled(bits >>> 13 & 0x3))
            .say(",");
    if (isEndpoint(type)) {
      text.say("\n\t\t\t AtomicOpsCtl:").flags(new Flag("ReqEn", 1 << 6));
    }
    return text.end();
  }

  private static String timeoutRanges(int code) {
    return switch (code) {
      case 0 -> "Not Supported";
      case 1 -> "Range A";
      case 2 -> "Range B";
      case 3 -> "Range AB";
      case 6 -> "Range BC";
      case 7 -> "Range ABC";
      case 14 -> "Range BCD";
      case 15 -> "Range ABCD";
      default -> "Unknown";
    };
  }

  private static String timeoutValue(int code) {
    return switch (code) {
      case 0 -> "50us to 50ms";
      case 1 -> "50us to 100us";
      case 2 -> "1ms to 10ms";
      case 5 -> "16ms to 55ms";
      case 6 -> "65ms to 210ms";
      case 9 -> "260ms to 900ms";
      case 10 -> "1s to 3.5s";
      case 13 -> "4s to 13s";
      case 14 -> "17s to 64s";
      default -> "Unknown";
    };
  }

  private static String obffSupport(int code) {
    return switch (code) {
      case 1 -> "Via message";
      case 2 -> "Via WAKE#";
      case 3 -> "Via message/WAKE#";
      default -> "Not Supported";
    };
  }

  private static String obffEnabled(int code) {
    return switch (code) {
      case 1 -> "Via message A";
      case 2 -> "Via message B";
      case 3 -> "Via WAKE#";
      default -> "Disabled";
    };
  }

  private static String emergencyPowerReduction(int code) {
    return switch (code) {
      case 1 -> "Dev Specific";
      case 2 -> "Form Factor Dev Specific";
      case 3 -> "Reserved";
      default -> "Not Supported";
    };
  }
}
