package dev.peerbar.lab.guest;

import java.io.IOException;
import java.util.List;

/** A place in the kernel's log, which is also to be seen in the log that a lab keeps. */
public final class KernelLogMark {
  private static final String DEVICE = "/dev/kmsg";

  /** Informational: a mark is no complaint. */
  private static final String LEVEL = "<6>";

  private final GuestSystem system;
  private final String line;

  private KernelLogMark(GuestSystem system, String line) {
    this.system = system;
    this.line = line;
  }

  static KernelLogMark set(GuestSystem system, int number, String what) throws IOException {
    String line = "peerbar lab %d: %s".formatted(number, what);
    system.writeText(DEVICE, LEVEL + line + "\n");
    return new KernelLogMark(system, line);
  }

  /**
   * What the kernel has logged since, a line a message, each with its level in angle brackets.
   *
   * @throws IOException if that was so much that the mark is no longer there
   */
  public List<String> since() throws IOException {
    List<String> lines = system.kernelLog().lines().toList();
    for (int i = lines.size() - 1; i >= 0; i--) {
      if (lines.get(i).endsWith(line)) {
        return lines.subList(i + 1, lines.size());
      }
    }
    throw new IOException("the kernel's log has lost the line: " + line);
  }
}
