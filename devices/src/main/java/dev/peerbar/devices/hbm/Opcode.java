package dev.peerbar.devices.hbm;

/** What a descriptor asks for. */
public enum Opcode {
  NOP(0, false, false),
  COPY(1, true, true),
  FILL(2, false, true),
  CRC32C(3, true, false),
  WRITE_IMMEDIATE(4, false, true);

  private static final Opcode[] BY_CODE = values();

  private final int code;
  private final boolean reads;
  private final boolean writes;

  Opcode(int code, boolean reads, boolean writes) {
    this.code = code;
    this.reads = reads;
    this.writes = writes;
  }

  /** The number in a descriptor. */
  public int code() {
    return code;
  }

  /** Whether the source matters. */
  boolean reads() {
    return reads;
  }

  /** Whether the destination matters. */
  boolean writes() {
    return writes;
  }

  /** The one of this number; null if there is none. */
  static Opcode of(int code) {
    return code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
  }
}
