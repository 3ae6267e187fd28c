package dev.peerbar.lab.setup;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The machine's distribution, and the suites of it from which a lab is made.
 *
 * @param codename of the machine's own release
 * @param suites whose packages are used, the last one preferred
 */
record Debian(String codename, List<String> suites) {
  /**
   * The oldest release whose packages will do: with its backports it has QEMU 10.1 and a kernel
   * with iommufd.
   */
  private static final String OLDEST_BASE = "trixie";

  private static final int OLDEST_BASE_VERSION = 13;

  private static final String BACKPORTS = "-backports";

  Debian {
    suites = List.copyOf(suites);
  }

  /** What {@code /etc/os-release} says. */
  static Debian ofMachine() throws IOException, SetupException {
    Path release = Path.of("/etc/os-release");
    return Files.exists(release) ? parse(Files.readAllLines(release)) : parse(List.of());
  }

  static Debian parse(List<String> osRelease) throws SetupException {
    Map<String, String> values = new HashMap<>();
    for (String line : osRelease) {
      int equals = line.indexOf('=');
      if (equals > 0) {
        values.put(line.substring(0, equals), line.substring(equals + 1).replace("\"", ""));
      }
    }
    String codename = values.get("VERSION_CODENAME");
    if (!"debian".equals(values.get("ID")) || codename == null) {
      throw new SetupException(
          "QEMU and the guest kernel are taken from Debian 12 or later, and this is %s; give your own with --qemu=PATH and --kernel=BZIMAGE."
              .formatted(values.getOrDefault("PRETTY_NAME", "something else")));
    }
    // Testing and unstable have no number: they are newer than any that has.
    int version =
        values.containsKey("VERSION_ID")
            ? Integer.parseInt(values.get("VERSION_ID").split("\\.")[0])
            : Integer.MAX_VALUE;
    List<String> suites = new ArrayList<>();
    if (version <= OLDEST_BASE_VERSION) {
      suites.add(OLDEST_BASE);
      suites.add(OLDEST_BASE + BACKPORTS);
    } else {
      suites.add(codename);
    }
    return new Debian(codename, suites);
  }
}
