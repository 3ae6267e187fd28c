package dev.peerbar.devices.nvme.admin;

/** What the controller tells without being asked (NVMe 1.4 figures 146 to 149). */
enum AsyncEvent {
  INVALID_DOORBELL_REGISTER(Type.ERROR, 0x00),
  INVALID_DOORBELL_VALUE(Type.ERROR, 0x01),
  RELIABILITY_DEGRADED(Type.SMART, 0x00),
  TEMPERATURE_THRESHOLD(Type.SMART, 0x01);

  /** Events of a type are masked together, until the log page that explains them is read. */
  enum Type {
    ERROR(0, LogPage.ERROR_INFORMATION),
    SMART(1, LogPage.SMART);

    private final int code;
    private final LogPage log;

    Type(int code, LogPage log) {
      this.code = code;
      this.log = log;
    }

    LogPage log() {
      return log;
    }
  }

  private static final int INFORMATION_SHIFT = 8;
  private static final int LOG_SHIFT = 16;

  private final Type type;
  private final int information;

  AsyncEvent(Type type, int information) {
    this.type = type;
    this.information = information;
  }

  Type type() {
    return type;
  }

  /** Dword 0 of the completion. */
  int dword0() {
    return type.code | information << INFORMATION_SHIFT | type.log.id() << LOG_SHIFT;
  }
}
