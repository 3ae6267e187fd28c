package dev.peerbar.lab.setup;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The compilers and tools that building the kernel and the agent takes, installed if they are
 * missing and that is possible.
 */
final class BuildTools {
  private static final Map<String, String> PROGRAMS =
      Map.of(
          "gcc", "gcc",
          "ld", "binutils",
          "make", "make",
          "flex", "flex",
          "bison", "bison",
          "bc", "bc",
          "xz", "xz-utils",
          "tar", "tar");

  private static final Map<Path, String> FILES =
      Map.of(
          Path.of("/usr/include/gelf.h"), "libelf-dev",
          Path.of("/usr/lib/x86_64-linux-gnu/libc.a"), "libc6-dev");

  /** What the kernel's tests of vfio are linked with beside. */
  static final Map<Path, String> FOR_SELFTESTS =
      Map.of(Path.of("/usr/lib/x86_64-linux-gnu/libuuid.a"), "uuid-dev");

  private BuildTools() {}

  /**
   * Packages that are missing, in order.
   *
   * @param more programs that are needed beside, in packages of their names
   * @param moreFiles files that are needed beside, and their packages
   */
  static List<String> missing(List<String> more, Map<Path, String> moreFiles) {
    TreeMap<String, Boolean> packages = new TreeMap<>();
    PROGRAMS.forEach(
        (program, name) -> packages.merge(name, SetupProgram.exists(program), Boolean::logicalAnd));
    more.forEach(name -> packages.put(name, SetupProgram.exists(name)));
    FILES.forEach((file, name) -> packages.merge(name, Files.exists(file), Boolean::logicalAnd));
    moreFiles.forEach((file, name) -> packages.put(name, Files.exists(file)));
    List<String> missing = new ArrayList<>();
    packages.forEach((name, there) -> {
      if (!there) {
        missing.add(name);
      }
    });
    return missing;
  }

  static void ensure(SetupOutput output, List<String> more, Map<Path, String> moreFiles)
      throws IOException, SetupException {
    List<String> missing = missing(more, moreFiles);
    if (missing.isEmpty()) {
      return;
    }
    String command = "apt-get install -y " + String.join(" ", missing);
    if (!"root".equals(System.getProperty("user.name")) || !SetupProgram.exists("apt-get")) {
      throw new SetupException(
          "Packages are missing that only root can install; run: sudo " + command);
    }
    output.say("installing " + String.join(", ", missing));
    List<String> words =
        new ArrayList<>(List.of("apt-get", "-q", "-y", "--no-install-recommends", "install"));
    words.addAll(missing);
    SetupProgram install =
        new SetupProgram(Path.of("/"), Map.of("DEBIAN_FRONTEND", "noninteractive"), words);
    try {
      try {
        install.run();
      } catch (SetupException staleLists) {
        SetupProgram.in(Path.of("/"), "apt-get", "-q", "update").run();
        install.run();
      }
    } catch (SetupException e) {
      throw new SetupException(
          "Packages are missing and could not be installed; check the network and run: "
              + command
              + "\n"
              + e.getMessage(),
          e);
    }
  }
}
