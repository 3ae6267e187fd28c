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
    for (int i = values().length - 1; i > 0; i--) {
      int bytes = 1 << i;
      if (bytes <= limit && offset % bytes == 0) {
        return values()[i];
      }
    }
    return BYTE;
  }
}
