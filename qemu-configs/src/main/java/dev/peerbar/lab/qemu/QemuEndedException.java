package dev.peerbar.lab.qemu;

import java.io.IOException;

/** QEMU ended before the guest was up. The message has what QEMU said, or the guest's kernel. */
public final class QemuEndedException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int status;

  /**
   * @param status the one with which it ended
   */
  public QemuEndedException(String message, int status, Throwable cause) {
    super(message, cause);
    this.status = status;
  }

  /** The status with which it ended: 0 if the guest made it end. */
  public int status() {
    return status;
  }
}
