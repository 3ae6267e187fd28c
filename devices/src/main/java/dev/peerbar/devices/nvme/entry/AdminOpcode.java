package dev.peerbar.devices.nvme.entry;

import java.util.Optional;

/** Commands of the admin queue that the endpoint has (NVMe 1.4 figure 139). */
public enum AdminOpcode {
  DELETE_IO_SUBMISSION_QUEUE(0x00),
  CREATE_IO_SUBMISSION_QUEUE(0x01),
  GET_LOG_PAGE(0x02),
  DELETE_IO_COMPLETION_QUEUE(0x04),
  CREATE_IO_COMPLETION_QUEUE(0x05),
  IDENTIFY(0x06),
  ABORT(0x08),
  SET_FEATURES(0x09),
  GET_FEATURES(0x0a),
  ASYNCHRONOUS_EVENT_REQUEST(0x0c),
  DOORBELL_BUFFER_CONFIG(0x7c);

  private static final AdminOpcode[] BY_CODE = new AdminOpcode[1 << Byte.SIZE];

  static {
    for (AdminOpcode opcode : values()) {
      BY_CODE[opcode.code] = opcode;
    }
  }

  private final int code;

  AdminOpcode(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }

  /**
   * @param code 0 to 255
   */
  public static Optional<AdminOpcode> of(int code) {
    return Optional.ofNullable(BY_CODE[code]);
  }
}
