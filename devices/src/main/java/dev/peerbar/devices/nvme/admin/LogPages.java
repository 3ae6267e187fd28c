package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import java.util.Arrays;
import java.util.Optional;

/** Get Log Page (NVMe 1.4 5.14), of one generation. */
final class LogPages {
  // Fields of the command.
  private static final int ID_MASK = 0xff;
  private static final int RETAIN_BIT = 15;
  private static final int DWORDS_LOW_SHIFT = 16;
  private static final int WORD = 0xffff;
  private static final int DWORD10 = 10;
  private static final int DWORD11 = 11;
  private static final int OFFSET_DWORD = 12;

  private static final int EVERYTHING = 0xffff_ffff;

  // Firmware Slot Information.
  private static final int FIRMWARE_BYTES = 512;
  private static final int ACTIVE_SLOT = 0;
  private static final int SLOT_1 = 8;

  private static final int CHANGED_BYTES = 4096;

  // Commands Supported and Effects.
  private static final int EFFECTS_BYTES = 4096;
  private static final int ADMIN_EFFECTS = 0;
  private static final int IO_EFFECTS = 1024;
  private static final int SUPPORTED = 1;
  private static final int CHANGES_BLOCKS = 1 << 1;

  private final AdminSettings settings;
  private final ErrorLog errors;
  private final SmartLog smart;
  private final Features features;
  private final AsyncEvents events;
  private final Identity identity;

  LogPages(
      AdminSettings settings,
      ErrorLog errors,
      SmartLog smart,
      Features features,
      AsyncEvents events,
      Identity identity) {
    this.settings = settings;
    this.errors = errors;
    this.smart = smart;
    this.features = features;
    this.events = events;
    this.identity = identity;
  }

  void get(AdminCommand command) {
    Optional<LogPage> log = LogPage.of(command.field(DWORD10, 0, ID_MASK));
    if (log.isEmpty()) {
      command.end(Status.INVALID_LOG_PAGE, Parameter.of(DWORD10, 0));
      return;
    }
    // Every page is the controller's: LPA says that there is none for a namespace.
    int nsid = command.entry().namespaceId();
    if (nsid != 0 && nsid != EVERYTHING) {
      command.invalidField(Parameter.NAMESPACE_ID);
      return;
    }
    long dwords =
        1L
            + command.field(DWORD10, DWORDS_LOW_SHIFT, WORD)
            + ((long) command.field(DWORD11, 0, WORD) << Short.SIZE);
    long length = dwords * Integer.BYTES;
    if (length > IdentifyController.MOST_TRANSFER) {
      command.invalidField(Parameter.of(DWORD10, DWORDS_LOW_SHIFT));
      return;
    }
    byte[] page = page(log.get());
    long offset = command.entry().qword(OFFSET_DWORD);
    if (offset % Integer.BYTES != 0 || Long.compareUnsigned(offset, page.length) > 0) {
      command.invalidField(Parameter.of(OFFSET_DWORD, 0));
      return;
    }
    if (command.field(DWORD10, RETAIN_BIT, 1) == 0) {
      events.logRead(log.get());
    }
    // What the host asks for beyond the page's end reads as zeros.
    command.send(Arrays.copyOfRange(page, (int) offset, (int) (offset + length)));
  }

  private byte[] page(LogPage log) {
    return switch (log) {
      case ERROR_INFORMATION -> errors.page();
      case SMART -> smart.page(features.warnings());
      case FIRMWARE_SLOT ->
          new Page(FIRMWARE_BYTES)
              .put8(ACTIVE_SLOT, 1)
              .text(SLOT_1, Identity.FIRMWARE_BYTES, identity.firmware())
              .bytes();
      // The one namespace never changes.
      case CHANGED_NAMESPACES -> new Page(CHANGED_BYTES).bytes();
      case COMMANDS_SUPPORTED_AND_EFFECTS -> effects();
    };
  }

  private byte[] effects() {
    Page page = new Page(EFFECTS_BYTES);
    for (AdminOpcode opcode : AdminOpcode.values()) {
      if (settings.has(opcode)) {
        page.put32(ADMIN_EFFECTS + opcode.code() * Integer.BYTES, SUPPORTED);
      }
    }
    for (IoOpcode opcode : IoOpcode.values()) {
      int effect =
          switch (opcode) {
            case WRITE, WRITE_ZEROES, DATASET_MANAGEMENT -> SUPPORTED | CHANGES_BLOCKS;
            case FLUSH, READ, COMPARE, VERIFY -> SUPPORTED;
          };
      page.put32(IO_EFFECTS + opcode.code() * Integer.BYTES, effect);
    }
    return page.bytes();
  }
}
