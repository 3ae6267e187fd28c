package dev.peerbar.pci;

import dev.peerbar.pci.ConfigLayout.Express;
import java.nio.ByteBuffer;

/**
 * The PCI Express capability, version 2, of an endpoint with function-level reset (PCIe 6.0 7.5.3).
 *
 * <p>The link shows as trained to 16 GT/s x16. What a function-level reset must leave alone (PCIe
 * 6.0 6.6.2: payload size, ASPM, clocking) is declared so.
 */
final class PciExpressCapability {
  private static final int VERSION_2 = 2;

  private static final int MAX_PAYLOAD_256 = 1;
  private static final int EXTENDED_TAGS = 1 << 5;
  private static final int ROLE_BASED_ERROR_REPORTING = 1 << 15;

  private static final int ERROR_REPORTING_ENABLES = 0xf;
  private static final int RELAXED_ORDERING = 1 << 4;
  private static final int MAX_PAYLOAD_FIELD = 0x7 << 5;
  private static final int EXTENDED_TAGS_ENABLE = 1 << 8;
  private static final int NO_SNOOP = 1 << 11;
  private static final int MAX_READ_REQUEST_FIELD = 0x7 << 12;
  private static final int MAX_READ_REQUEST_512 = 2 << 12;

  private static final int DEVICE_STATUS_ERRORS = 0xf;

  private static final int SPEED_16_GT = 4;
  private static final int WIDTH_X16 = 16 << 4;
  private static final int ASPM_OPTIONALITY = 1 << 22;
  private static final int SLOT_CLOCK = 1 << 12;

  private static final int ASPM_FIELD = 0x3;
  private static final int READ_COMPLETION_BOUNDARY = 1 << 3;
  private static final int COMMON_CLOCK = 1 << 6;
  private static final int EXTENDED_SYNCH = 1 << 7;

  private static final int COMPLETION_TIMEOUT_DISABLE = 1 << 4;

  private static final int SPEEDS_UP_TO_16_GT = 0xf << 1;
  private static final int TARGET_SPEED_FIELD = 0xf;
  private static final int EQUALIZATION_DONE = 0xf << 1;

  private final int deviceControl;

  PciExpressCapability(ConfigSpace space, CapabilityChains chains) {
    int at = chains.addStandard(Express.ID, Express.LENGTH);
    deviceControl = at + Express.DEVICE_CONTROL;
    space.declare(at + Express.CAPABILITIES, 2, VERSION_2);
    declareDevice(space, at);
    declareLink(space, at);
  }

  private static void declareDevice(ConfigSpace space, int at) {
    space.declare(
        at + Express.DEVICE_CAPABILITIES,
        4,
        MAX_PAYLOAD_256
            | EXTENDED_TAGS
            | ROLE_BASED_ERROR_REPORTING
            | Express.FUNCTION_LEVEL_RESET_CAPABLE);
    space
        .declare(
            at + Express.DEVICE_CONTROL,
            2,
            RELAXED_ORDERING | EXTENDED_TAGS_ENABLE | NO_SNOOP | MAX_READ_REQUEST_512)
        .writable(
            ERROR_REPORTING_ENABLES
                | RELAXED_ORDERING
                | MAX_PAYLOAD_FIELD
                | EXTENDED_TAGS_ENABLE
                | NO_SNOOP
                | MAX_READ_REQUEST_FIELD)
        .keptByFunctionReset(MAX_PAYLOAD_FIELD);
    space.declare(at + Express.DEVICE_STATUS, 2, 0).clearedByOnes(DEVICE_STATUS_ERRORS);
    space.declare(at + Express.DEVICE_CAPABILITIES_2, 4, COMPLETION_TIMEOUT_DISABLE);
    space.declare(at + Express.DEVICE_CONTROL_2, 2, 0).writable(COMPLETION_TIMEOUT_DISABLE);
  }

  private static void declareLink(ConfigSpace space, int at) {
    int control = ASPM_FIELD | READ_COMPLETION_BOUNDARY | COMMON_CLOCK | EXTENDED_SYNCH;
    space.declare(at + Express.LINK_CAPABILITIES, 4, SPEED_16_GT | WIDTH_X16 | ASPM_OPTIONALITY);
    space.declare(at + Express.LINK_CONTROL, 2, 0).writable(control).keptByFunctionReset(control);
    space.declare(at + Express.LINK_STATUS, 2, SPEED_16_GT | WIDTH_X16 | SLOT_CLOCK);
    space.declare(at + Express.LINK_CAPABILITIES_2, 4, SPEEDS_UP_TO_16_GT);
    space
        .declare(at + Express.LINK_CONTROL_2, 2, SPEED_16_GT)
        .writable(TARGET_SPEED_FIELD)
        .sticky(TARGET_SPEED_FIELD);
    space.declare(at + Express.LINK_STATUS_2, 2, EQUALIZATION_DONE);
  }

  /** Where Device Status is. */
  int deviceStatus() {
    return deviceControl + Express.DEVICE_STATUS - Express.DEVICE_CONTROL;
  }

  /**
   * Whether a write asks for a function-level reset. The bit itself always reads zero, so this
   * looks at what is written.
   *
   * @param from as it will be written; its position does not move
   */
  boolean initiatesFunctionLevelReset(int offset, ByteBuffer from) {
    int highByte = deviceControl + 1 - offset;
    return highByte >= 0
        && highByte < from.remaining()
        && (from.get(from.position() + highByte) & Express.INITIATE_FUNCTION_LEVEL_RESET >>> 8)
            != 0;
  }
}
