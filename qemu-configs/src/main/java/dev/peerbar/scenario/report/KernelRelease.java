package dev.peerbar.scenario.report;

import dev.peerbar.lab.qemu.Qemu;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which kernel a guest had, as it said itself. */
final class KernelRelease {
  /** It is in the first line of a kernel, after some of the firmware. */
  private static final int BEGINNING = 1 << 16;

  private static final Pattern BANNER = Pattern.compile("Linux version (\\S+)");

  private KernelRelease() {}

  /**
   * Looks for it in a guest's logs.
   *
   * @return such as {@code 6.18.2}; empty if the logs do not say
   */
  static Optional<String> in(Path logs) {
    try (InputStream console = Files.newInputStream(logs.resolve(Qemu.CONSOLE_LOG))) {
      // The console may carry bytes that are no UTF-8.
      Matcher banner =
          BANNER.matcher(new String(console.readNBytes(BEGINNING), StandardCharsets.ISO_8859_1));
      return banner.find() ? Optional.of(banner.group(1)) : Optional.empty();
    } catch (IOException e) {
      // A guest that did not boot may have none.
      return Optional.empty();
    }
  }
}
