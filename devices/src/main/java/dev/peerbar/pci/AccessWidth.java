package dev.peerbar.pci;

/** The widths of a register access. */
public enum AccessWidth {
  BYTE(1),
  WORD(2),
  DWORD(4),
  QWORD(8);

  private final int bytes;

  AccessWidth(int bytes) {
    this.bytes = bytes;
  }

  /** 1, 2, 4 or 8. */
  public int bytes() {
    return bytes;
  }

  /**
   * The widest naturally aligned access at {@code offset} of at most {@code limit} bytes (at least
   * 1).
   */
  public static AccessWidth widestAt(long offset, long limit) {
    if (limit >= Long.BYTES && offset % Long.BYTES == 0) {
      return QWORD;
    }
    if (limit >= Integer.BYTES && offset % Integer.BYTES == 0) {
      return DWORD;
    }
    if (limit >= Short.BYTES && offset % Short.BYTES == 0) {
      return WORD;
    }
    return BYTE;
  }
}
