package dev.peerbar.probe;

import dev.peerbar.pci.ConfigLayout.Msi;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.probe.Capability.Decoded;
import dev.peerbar.probe.Register.Flag;
import java.util.ArrayList;
import java.util.List;

/** MSI (PCIe 6.0 7.7.1) and MSI-X (7.7.2). */
final class MessageInterrupts {

  private static final int MSI_DATA_32 = 8;
  private static final int DATA_LENGTH = 2;
  private static final int MASK_AFTER_DATA = 4;
  private static final int PENDING_AFTER_DATA = 8;
  private static final int MASKS_LENGTH = 8;

  private MessageInterrupts() {}

  static Decoded decodeMsi(ConfigBytes config, int at) {
    int control = config.wordAt(at + Msi.MESSAGE_CONTROL);
    Register title =
        new Register.Writer("MSI", "MSI:", control)
            .flags(new Flag("Enable", 1))
            .say(" Count=")
            .value("Allocated", 1 << (control >>> 4 & 0x7))
            .say("/")
            .value("Count", 1 << (control >>> 1 & 0x7))
            .flags(new Flag("Maskable", Msi.PER_VECTOR_MASKING), new Flag("64bit", Msi.ADDRESS_64))
            .end();
    List<Register> registers = new ArrayList<>();
    int data = at + ((control & Msi.ADDRESS_64) != 0 ? Msi.MESSAGE_DATA : MSI_DATA_32);
    if (config.has(data, DATA_LENGTH)) {
      registers.add(message(config, at, data));
      if ((control & Msi.PER_VECTOR_MASKING) != 0
          && config.has(data + MASK_AFTER_DATA, MASKS_LENGTH)) {
        registers.add(masks(config, data));
      }
    }
    return new Decoded("MSI", title, registers);
  }

  private static Register message(ConfigBytes config, int at, int data) {
    String high =
        data == at + Msi.MESSAGE_DATA
            ? "%08x".formatted(config.longAt(at + Msi.MESSAGE_UPPER_ADDRESS))
            : "";
    return new Register.Writer("Message", "Address: ", 0)
        .value("Address", high + "%08x".formatted(config.longAt(at + Msi.MESSAGE_ADDRESS)))
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
    int control = config.wordAt(at + Msix.MESSAGE_CONTROL);
    Register title =
        new Register.Writer("MSI-X", "MSI-X:", control)
            .flags(new Flag("Enable", 1 << 15))
            .say(" Count=")
            .value("Count", (control & Msix.TABLE_SIZE) + 1)
            .flags(new Flag("Masked", 1 << 14))
            .end();
    if (!config.has(at, Msix.LENGTH)) {
      return new Decoded("MSI-X", title);
    }
    return new Decoded(
        "MSI-X",
        title,
        List.of(
            place("Vector table", config.longAt(at + Msix.TABLE)),
            place("PBA", config.longAt(at + Msix.PENDING))));
  }

  private static Register place(String name, int value) {
    return new Register.Writer(name, name + ": BAR=", value)
        .value("BAR", value & Msix.BAR)
        .say(" offset=")
        .value("offset", "%08x".formatted(value & ~Msix.BAR))
        .end();
  }
}
