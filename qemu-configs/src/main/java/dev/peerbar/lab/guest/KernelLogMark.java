package dev.peerbar.lab.guest;

import java.io.IOException;
import java.util.List;
import java.util.OptionalInt;

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
    int mark =
        in(lines).orElseThrow(() -> new IOException("the kernel's log has lost the line: " + line));
    return lines.subList(mark + 1, lines.size());
  }

  /** Where it is in a log of the kernel's, or of the console that the log goes to. */
  public OptionalInt in(List<String> log) {
    for (int i = log.size() - 1; i >= 0; i--) {
      // A serial console ends lines with a carriage return more.
      if (log.get(i).stripTrailing().endsWith(line)) {
        return OptionalInt.of(i);
      }
    }
    return OptionalInt.empty();
  }
}
