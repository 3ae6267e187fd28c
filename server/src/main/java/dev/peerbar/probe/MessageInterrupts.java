package dev.peerbar.probe;

import dev.peerbar.probe.Capability.Decoded;
import dev.peerbar.probe.Register.Flag;
import java.util.ArrayList;
import java.util.List;

/** MSI (PCIe 6.0 7.7.1) and MSI-X (7.7.2). */
final class MessageInterrupts {
  private static final int CONTROL = 2;

  private static final int MSI_64_BIT = 1 << 7;
  private static final int MSI_MASKABLE = 1 << 8;
  private static final int MSI_ADDRESS = 4;
  private static final int MSI_ADDRESS_HIGH = 8;
  private static final int MSI_DATA_32 = 8;
  private static final int MSI_DATA_64 = 12;
  private static final int DATA_LENGTH = 2;
  private static final int MASK_AFTER_DATA = 4;
  private static final int PENDING_AFTER_DATA = 8;
  private static final int MASKS_LENGTH = 8;

  private static final int MSIX_TABLE = 4;
  private static final int MSIX_PENDING = 8;
  private static final int MSIX_LENGTH = 12;
  private static final int MSIX_TABLE_SIZE = 0x7ff;
  private static final int MSIX_BAR = 0x7;

  private MessageInterrupts() {}

  static Decoded decodeMsi(ConfigBytes config, int at) {
    int control = config.wordAt(at + CONTROL);
    Register title =
        new Register.Writer("MSI", "MSI:", control)
            .flags(new Flag("Enable", 1))
            .say(" Count=")
            .value("Allocated", 1 << (control >>> 4 & 0x7))
            .say("/")
            .value("Count", 1 << (control >>> 1 & 0x7))
            .flags(new Flag("Maskable", MSI_MASKABLE), new Flag("64bit", MSI_64_BIT))
            .end();
    List<Register> registers = new ArrayList<>();
    int data = at + ((control & MSI_64_BIT) != 0 ? MSI_DATA_64 : MSI_DATA_32);
    if (config.has(data, DATA_LENGTH)) {
      registers.add(message(config, at, data));
      if ((control & MSI_MASKABLE) != 0 && config.has(data + MASK_AFTER_DATA, MASKS_LENGTH)) {
        registers.add(masks(config, data));
      }
    }
    return new Decoded("MSI", title, registers);
  }

  private static Register message(ConfigBytes config, int at, int data) {
    String high =
        data == at + MSI_DATA_64 ? "%08x".formatted(config.longAt(at + MSI_ADDRESS_HIGH)) : "";
    return new Register.Writer("Message", "Address: ", 0)
        .value("Address", high + "%08x".formatted(config.longAt(at + MSI_ADDRESS)))
        .say("  Data: ")
        .value("Data", "%04x".formatted(config.wordAt(data)))
        .end();
  }

  private static Register masks(ConfigBytes config, int data) {
    return new Register.Writer("Masks", "Masking: ", 0)
        .value("Masking", "%08x".formatted(config.longAt(data + MASK_AFTER_DATA)))
        .say("  Pending: ")
        .value("Pending", "%08x".formatted(config.longAt(data + PENDING_AFTER_DATA)))
        .end();
  }

  static Decoded decodeMsix(ConfigBytes config, int at) {
    int control = config.wordAt(at + CONTROL);
    Register title =
        new Register.Writer("MSI-X", "MSI-X:", control)
            .flags(new Flag("Enable", 1 << 15))
            .say(" Count=")
            .value("Count", (control & MSIX_TABLE_SIZE) + 1)
            .flags(new Flag("Masked", 1 << 14))
            .end();
    if (!config.has(at, MSIX_LENGTH)) {
      return new Decoded("MSI-X", title);
    }
    return new Decoded(
        "MSI-X",
        title,
        List.of(
            place("Vector table", config.longAt(at + MSIX_TABLE)),
            place("PBA", config.longAt(at + MSIX_PENDING))));
  }

  private static Register place(String name, int value) {
    return new Register.Writer(name, name + ": BAR=", value)
        .value("BAR", value & MSIX_BAR)
        .say(" offset=")
        .value("offset", "%08x".formatted(value & ~MSIX_BAR))
        .end();
  }
}
