package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Programs for the guest: the distribution's, unpacked, of which a guest sees {@code usr} as its
 * own.
 */
final class Userland {
  private static final List<String> PACKAGES =
      List.of(
          "bash",
          "coreutils",
          "e2fsprogs",
          "fio",
          "libdrm-tests",
          "nvme-cli",
          "pciutils",
          "util-linux");

  /**
   * What only their maintainer scripts and services need, or programs that no lab runs: a third of
   * the download.
   */
  private static final List<String> ASSUMED =
      List.of(
          "adduser",
          "base-files",
          "base-passwd",
          "debconf",
          "debianutils",
          "dpkg",
          "init-system-helpers",
          "libpam-modules",
          "libpam-runtime",
          "login",
          "login.defs",
          "openssl-provider-legacy",
          "passwd",
          "python3",
          "systemd",
          "tar",
          "tzdata",
          "uuid-runtime");

  /** What is kept of {@code usr/share}: the names that lspci knows. */
  private static final List<String> SHARED = List.of("misc");

  /** Changes whenever the way of unpacking does. */
  private static final String RECIPE = "1";

  private static final String TREE = "usr";

  private Userland() {}

  /** The directory for the guest's {@code /usr}. */
  static Optional<Path> find(Cache cache) {
    return cache.find(product()).map(p -> p.resolve(TREE));
  }

  private static String product() {
    return "userland-"
        + LabResources.stamp(
            String.join(" ", PACKAGES),
            String.join(" ", ASSUMED),
            String.join(" ", SHARED),
            RECIPE);
  }

  static Path make(Cache cache, PackageSource packages, SetupOutput output)
      throws IOException, SetupException {
    return cache
        .make(
            product(),
            directory -> {
              Path archives = cache.temporary("archives");
              try {
                packages.download(PACKAGES, ASSUMED, archives);
                output.say("unpacking programs for the guest");
                packages.unpackAll(archives, directory);
              } finally {
                Cache.delete(archives);
              }
              trim(directory);
            })
        .resolve(TREE);
  }

  private static void trim(Path directory) throws IOException {
    deleteAllBut(directory, List.of(TREE));
    deleteAllBut(directory.resolve(TREE).resolve("share"), SHARED);
  }

  private static void deleteAllBut(Path directory, List<String> kept) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      for (Path p : entries.toList()) {
        if (!kept.contains(p.getFileName().toString())) {
          Cache.delete(p);
        }
      }
    }
  }
}
