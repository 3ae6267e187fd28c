package dev.peerbar.devices.nvme.admin;

import java.util.Optional;

/** Log pages that the controller has (NVMe 1.4 figure 191). */
enum LogPage {
  ERROR_INFORMATION(0x01),
  SMART(0x02),
  FIRMWARE_SLOT(0x03),
  CHANGED_NAMESPACES(0x04),
  COMMANDS_SUPPORTED_AND_EFFECTS(0x05);

  private final int id;

  LogPage(int id) {
    this.id = id;
  }

  int id() {
    return id;
  }

  static Optional<LogPage> of(int id) {
    for (LogPage page : values()) {
      if (page.id == id) {
        return Optional.of(page);
      }
    }
    return Optional.empty();
  }
}
