package dev.peerbar.devices.nvme.entry;

import java.util.Optional;

/** How a command ended (NVMe 1.4 4.6.1.2), by the names of the specification. */
public enum Status {
  // Generic command status.
  SUCCESS(0, 0x00, false),
  INVALID_COMMAND_OPCODE(0, 0x01, true),
  INVALID_FIELD_IN_COMMAND(0, 0x02, true),
  COMMAND_ID_CONFLICT(0, 0x03, true),
  DATA_TRANSFER_ERROR(0, 0x04, false),
  INTERNAL_ERROR(0, 0x06, false),
  COMMAND_ABORT_REQUESTED(0, 0x07, false),
  COMMAND_ABORTED_DUE_TO_SQ_DELETION(0, 0x08, false),
  INVALID_NAMESPACE_OR_FORMAT(0, 0x0b, true),
  COMMAND_SEQUENCE_ERROR(0, 0x0c, true),
  INVALID_SGL_SEGMENT_DESCRIPTOR(0, 0x0d, true),
  INVALID_NUMBER_OF_SGL_DESCRIPTORS(0, 0x0e, true),
  DATA_SGL_LENGTH_INVALID(0, 0x0f, true),
  METADATA_SGL_LENGTH_INVALID(0, 0x10, true),
  SGL_DESCRIPTOR_TYPE_INVALID(0, 0x11, true),
  INVALID_USE_OF_CONTROLLER_MEMORY_BUFFER(0, 0x12, true),
  PRP_OFFSET_INVALID(0, 0x13, true),
  OPERATION_DENIED(0, 0x15, true),
  SGL_OFFSET_INVALID(0, 0x16, true),
  LBA_OUT_OF_RANGE(0, 0x80, true),
  CAPACITY_EXCEEDED(0, 0x81, true),
  NAMESPACE_NOT_READY(0, 0x82, false),

  // Command specific status.
  COMPLETION_QUEUE_INVALID(1, 0x00, true),
  INVALID_QUEUE_IDENTIFIER(1, 0x01, true),
  INVALID_QUEUE_SIZE(1, 0x02, true),
  ABORT_COMMAND_LIMIT_EXCEEDED(1, 0x03, false),
  ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED(1, 0x05, false),
  INVALID_INTERRUPT_VECTOR(1, 0x08, true),
  INVALID_LOG_PAGE(1, 0x09, true),
  INVALID_QUEUE_DELETION(1, 0x0c, true),
  FEATURE_IDENTIFIER_NOT_SAVEABLE(1, 0x0d, true),
  FEATURE_NOT_CHANGEABLE(1, 0x0e, true),
  FEATURE_NOT_NAMESPACE_SPECIFIC(1, 0x0f, true),
  CONFLICTING_ATTRIBUTES(1, 0x80, true),

  // Media and data integrity errors.
  WRITE_FAULT(2, 0x80, false),
  UNRECOVERED_READ_ERROR(2, 0x81, false),
  COMPARE_FAILURE(2, 0x85, true);

  private static final int TYPE_SHIFT = 8;
  private static final int TYPE_MASK = 0x7;
  private static final int CODE_MASK = 0xff;
  private static final int MORE = 1 << 13;
  private static final int DO_NOT_RETRY = 1 << 14;

  private final int type;
  private final int code;
  private final boolean doNotRetry;

  Status(int type, int code, boolean doNotRetry) {
    this.type = type;
    this.code = code;
    this.doNotRetry = doNotRetry;
  }

  /** Status Code Type. */
  public int type() {
    return type;
  }

  /** Status Code. */
  public int code() {
    return code;
  }

  /** Whether the same command would fail again. */
  public boolean doNotRetry() {
    return doNotRetry;
  }

  /**
   * The 15 bits of the Status Field, without the phase tag: bits 7:0 the code, 10:8 the type, 13
   * More (set on every error, as each leaves an entry in the Error Information log), 14 Do Not
   * Retry.
   */
  public int field() {
    return code
        | type << TYPE_SHIFT
        | (this == SUCCESS ? 0 : MORE)
        | (doNotRetry ? DO_NOT_RETRY : 0);
  }

  /**
   * @param field as {@link #field} gives it; More and Do Not Retry are not looked at
   * @return empty for a status that no command of this endpoint ends with
   */
  public static Optional<Status> ofField(int field) {
    int wantedType = field >>> TYPE_SHIFT & TYPE_MASK;
    int wantedCode = field & CODE_MASK;
    for (Status status : values()) {
      if (status.type == wantedType && status.code == wantedCode) {
        return Optional.of(status);
      }
    }
    return Optional.empty();
  }
}
