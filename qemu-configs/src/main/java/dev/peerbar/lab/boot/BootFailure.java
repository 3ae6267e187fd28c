package dev.peerbar.lab.boot;

import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.lab.qemu.Qemu;
import dev.peerbar.lab.qemu.QemuEndedException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** What a guest that did not come up, or only in part, may have lacked. */
final class BootFailure {
  // As the agent writes it.
  private static final Pattern MODULE =
      Pattern.compile("peerbar agent: error: module (\\S+) does not load: (.*)");

  /** Options whose absence ends a boot with these words on the console. */
  private static final Map<String, String> ENDINGS =
      Map.of(
          "has no virtio port", "CONFIG_VIRTIO_PCI or CONFIG_VIRTIO_CONSOLE",
          "Unable to mount root fs", "CONFIG_BLK_DEV_INITRD or CONFIG_RD_GZIP",
          "No working init found", "CONFIG_BINFMT_ELF",
          "Failed to execute /init", "CONFIG_BINFMT_ELF");

  private static final String SILENCE =
      "CONFIG_SERIAL_8250_CONSOLE, CONFIG_TTY, CONFIG_PRINTK or CONFIG_64BIT";

  private final Qemu qemu;
  private final KernelOptions options;

  BootFailure(Qemu qemu, KernelOptions options) {
    this.qemu = qemu;
    this.options = options;
  }

  /**
   * The failure, with the options that could be the reason if nobody could look for them before.
   */
  IOException explain(IOException failure) throws IOException {
    String could = couldLack();
    if (could.isEmpty()) {
      return failure;
    }
    String message =
        "%s; the kernel, of which no configuration was found, may lack %s"
            .formatted(failure.getMessage(), could);
    return failure instanceof QemuEndedException ended
        ? new QemuEndedException(message, ended.status(), failure)
        : new IOException(message, failure);
  }

  private String couldLack() throws IOException {
    List<String> console = qemu.console();
    if (options.known()) {
      return "";
    }
    for (Map.Entry<String, String> ending : ENDINGS.entrySet()) {
      if (console.stream().anyMatch(line -> line.contains(ending.getKey()))) {
        return ending.getValue();
      }
    }
    // A QEMU that did not get as far as to start the kernel has ended with words of its own.
    return qemu.isAlive() && console.stream().allMatch(String::isBlank) ? SILENCE : "";
  }

  /**
   * Throws if there are modules that the guest could not load.
   *
   * @param complaints of the kernel's log, where the agent says so
   */
  static void unlessModulesLoaded(List<Lab.Complaint> complaints) throws IOException {
    String bad =
        complaints.stream()
            .map(c -> MODULE.matcher(c.line()))
            .filter(Matcher::find)
            .map(m -> m.group(1) + " (" + m.group(2) + ")")
            .collect(Collectors.joining(", "));
    if (!bad.isEmpty()) {
      throw new IOException("the guest's kernel does not load these modules: " + bad);
    }
  }
}
