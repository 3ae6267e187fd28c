package dev.peerbar.devices.nvme.entry;

/** Commands of the NVM command set that the endpoint has (NVMe 1.4 figure 346). */
public enum IoOpcode {
  FLUSH(0x00),
  WRITE(0x01),
  READ(0x02),
  COMPARE(0x05),
  WRITE_ZEROES(0x08),
  DATASET_MANAGEMENT(0x09),
  VERIFY(0x0c);

  private static final IoOpcode[] BY_CODE = new IoOpcode[1 << Byte.SIZE];

  static {
    for (IoOpcode opcode : values()) {
      BY_CODE[opcode.code] = opcode;
    }
  }

  private final int code;

  IoOpcode(int code) {
    this.code = code;
  }

  public int code() {
    return code;
  }

  /**
   * The command, or null if the endpoint has none such.
   *
   * @param code 0 to 255
   */
  public static IoOpcode of(int code) {
    return BY_CODE[code];
  }
}
