package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Builds the kernel's own tests of vfio beside their source, in a directory that keeps what was
 * built for the next time.
 *
 * @param tree the source of a kernel, which stays as it is
 * @param objects where everything goes
 */
record SelftestBuild(Path tree, Path objects) {
  private static final String TESTS = "tools/testing/selftests/vfio";

  /**
   * Builds what has changed since the last time; the programs, in order.
   *
   * @param what is built, for whoever waits
   * @throws KernelUnfitException if the source has none, or they do not compile
   */
  List<Path> build(String what, SetupOutput output) throws IOException, SetupException {
    Path tests = tree.resolve(TESTS);
    if (!Files.exists(tests.resolve("Makefile"))) {
      throw new KernelUnfitException(
          "%s cannot be built: %s is not there, as it is since Linux 6.18; give a newer source with --kernel-source=DIR"
              .formatted(what, tests));
    }
    output.say("building " + what);
    // What has been taken away from the source is not to be run.
    Path built = objects.resolve("vfio");
    Cache.delete(built);
    Files.createDirectories(built);
    KernelMake.run(
        KernelBuild.make(tree, "headers", "O=" + objects),
        what,
        objects.resolve(KernelMake.LOG),
        () -> {});
    KernelMake.run(
        KernelBuild.make(
                tests,
                "OUTPUT=" + built,
                "KHDR_INCLUDES=-isystem " + objects.resolve("usr/include"))
            // The guest has no libraries. In the environment, so that the makefile may add to it.
            .with("LDFLAGS", "-static"),
        what,
        objects.resolve(KernelMake.LOG),
        () -> {});
    return programs(built);
  }

  private static List<Path> programs(Path built) throws IOException {
    try (Stream<Path> files = Files.list(built)) {
      return files
          .filter(file -> Files.isRegularFile(file) && Files.isExecutable(file))
          // Scripts are for a machine that they set up.
          .filter(file -> !file.getFileName().toString().contains("."))
          .sorted()
          .toList();
    }
  }

  /** A short name for programs: the same for the same ones. */
  static String stamp(List<Path> programs) throws IOException {
    List<String> parts = new ArrayList<>();
    for (Path program : programs) {
      parts.add(program.getFileName().toString());
      parts.add(Files.readString(program, StandardCharsets.ISO_8859_1));
    }
    return LabResources.stamp(parts.toArray(String[]::new));
  }
}
