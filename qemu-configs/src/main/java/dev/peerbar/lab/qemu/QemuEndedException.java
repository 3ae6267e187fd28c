package dev.peerbar.lab.qemu;

import java.io.IOException;

/** QEMU ended before the guest was up. The message has what QEMU said, or the guest's kernel. */
public final class QemuEndedException extends IOException {
  private static final long serialVersionUID = 1L;

  public QemuEndedException(String message, Throwable cause) {
    super(message, cause);
  }
}
