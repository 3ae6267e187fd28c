package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.probe.Register.Flag;
import java.util.Optional;

/** The header of config space (PCIe 6.0 7.5.1): who the function is, Command and Status. */
final class ConfigHeader {

  /** In bytes; nothing can be said of a function with less config space. */
  static final int LENGTH = 0x40;

  private static final int LAYOUT_MASK = 0x7f;
  private static final int NO_VENDOR = 0xffff;
  private static final int BIST_CAPABLE = 1 << 7;
  private static final int BIST_RUNNING = 1 << 6;
  private static final int BIST_RESULT = 0xf;
  private static final int NANOSECONDS_PER_UNIT = 250;

  private static final Flag[] COMMAND_FLAGS = {
    new Flag("I/O", Header.COMMAND_IO_SPACE),
    new Flag("Mem", Header.COMMAND_MEMORY_SPACE),
    new Flag("BusMaster", Header.COMMAND_BUS_MASTER),
    new Flag("SpecCycle", 1 << 3),
    new Flag("MemWINV", 1 << 4),
    new Flag("VGASnoop", 1 << 5),
    new Flag("ParErr", 1 << 6),
    new Flag("Stepping", 1 << 7),
    new Flag("SERR", 1 << 8),
    new Flag("FastB2B", 1 << 9),
    new Flag("DisINTx", 1 << 10)
  };

  private final ConfigBytes config;

  ConfigHeader(ConfigBytes config) {
    this.config = config;
  }

  int vendor() {
    return config.wordAt(Header.VENDOR_ID);
  }

  int device() {
    return config.wordAt(Header.DEVICE_ID);
  }

  int revision() {
    return config.byteAt(Header.REVISION_ID);
  }

  int programmingInterface() {
    return config.byteAt(Header.CLASS_CODE);
  }

  /** Base class and sub-class. */
  int classCode() {
    return config.wordAt(Header.SUB_CLASS);
  }

  /** The layout of the header: 0 for all but bridges. */
  int layout() {
    return config.byteAt(Header.HEADER_TYPE) & LAYOUT_MASK;
  }

  boolean isEndpoint() {
    return layout() == 0;
  }

  int subsystemVendor() {
    return config.wordAt(Header.SUBSYSTEM_VENDOR_ID);
  }

  int subsystem() {
    return config.wordAt(Header.SUBSYSTEM_ID);
  }

  boolean hasSubsystem() {
    return isEndpoint() && subsystemVendor() != 0 && subsystemVendor() != NO_VENDOR;
  }

  /** Whether Command lets a BAR answer. */
  boolean decodes(int enable) {
    return (config.wordAt(Header.COMMAND) & enable) != 0;
  }

  Register command() {
    return new Register.Writer("Control", "Control:", config.wordAt(Header.COMMAND))
        .flags(COMMAND_FLAGS)
        .end();
  }

  Register status() {
    int status = config.wordAt(Header.STATUS);
    return new Register.Writer("Status", "Status:", status)
        .flags(
            new Flag("Cap", 1 << 4),
            new Flag("66MHz", 1 << 5),
            new Flag("UDF", 1 << 6),
            new Flag("FastB2B", 1 << 7),
            new Flag("ParErr", 1 << 8))
        .say(" DEVSEL=")
        .value("DEVSEL", deviceSelect(status >>> 9 & 0x3))
        .flags(
            new Flag(">TAbort", 1 << 11),
            new Flag("<TAbort", 1 << 12),
            new Flag("<MAbort", 1 << 13),
            new Flag(">SERR", 1 << 14),
            new Flag("<PERR", 1 << 15),
            new Flag("INTx", 1 << 3))
        .end();
  }

  private static String deviceSelect(int code) {
    return switch (code) {
      case 0 -> "fast";
      case 1 -> "medium";
      case 2 -> "slow";
      default -> "??";
    };
  }

  /** What lspci says of a bus master's latency, if it is one. */
  Optional<String> latency() {
    if (!decodes(Header.COMMAND_BUS_MASTER)) {
      return Optional.empty();
    }
    StringBuilder text = new StringBuilder("Latency: ").append(config.byteAt(Header.LATENCY_TIMER));
    int least = config.byteAt(Header.MIN_GRANT) * NANOSECONDS_PER_UNIT;
    int most = config.byteAt(Header.MAX_LATENCY) * NANOSECONDS_PER_UNIT;
    if (least != 0 || most != 0) {
      text.append(" (")
          .append(least != 0 ? least + "ns min" : "")
          .append(least != 0 && most != 0 ? ", " : "")
          .append(most != 0 ? most + "ns max" : "")
          .append(')');
    }
    int line = config.byteAt(Header.CACHE_LINE_SIZE);
    if (line != 0) {
      text.append(", Cache Line Size: ").append(line * Integer.BYTES).append(" bytes");
    }
    return Optional.of(text.toString());
  }

  /** The interrupt pin and line, if there is one. */
  Optional<String> interrupt() {
    int pin = config.byteAt(Header.INTERRUPT_PIN);
    int line = config.byteAt(Header.INTERRUPT_LINE);
    if (pin == 0 && line == 0) {
      return Optional.empty();
    }
    return Optional.of(
        "Interrupt: pin %s routed to IRQ %d".formatted(pin == 0 ? "?" : pinName(pin), line));
  }

  /** The pin as a letter; a server that has no such pin gets its number shown. */
  private static String pinName(int pin) {
    return pin <= 4 ? String.valueOf((char) ('A' + pin - 1)) : "#" + pin;
  }

  /** The state of the built-in self test, if there is one. */
  Optional<String> selfTest() {
    int bist = config.byteAt(Header.BIST);
    if ((bist & BIST_CAPABLE) == 0) {
      return Optional.empty();
    }
    return Optional.of(
        (bist & BIST_RUNNING) != 0
            ? "BIST is running"
            : "BIST result: %02x".formatted(bist & BIST_RESULT));
  }
}
