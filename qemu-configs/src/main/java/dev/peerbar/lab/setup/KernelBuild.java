package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The guest kernel, from the distribution's source package and {@code kernel/p2p.config}. */
final class KernelBuild {
  private static final String CONFIG = "kernel/p2p.config";
  static final String IMAGE = "bzImage";

  /** Which package a product was made from, and its version. */
  static final String SOURCE = "source";

  /** Objects of the last build that was counted: the total of the progress bar. */
  static final long OBJECTS = 1370;

  // Sources that this configuration never compiles, but whose Kconfig files it reads: a third of
  // the tree.
  private static final List<String> EXCLUDED =
      List.of(
          "*/drivers/gpu/drm/amd/*.[ch]",
          "*/drivers/gpu/drm/i915/*.[ch]",
          "*/drivers/gpu/drm/msm/*.[ch]",
          "*/drivers/gpu/drm/nouveau/*.[ch]",
          "*/drivers/gpu/drm/radeon/*.[ch]",
          "*/drivers/gpu/drm/xe/*.[ch]",
          "*/drivers/net/ethernet/*.[ch]",
          "*/drivers/net/wireless/*.[ch]",
          "*/drivers/media/*.[ch]",
          "*/sound/*.[ch]",
          "*/tools/testing/*",
          "*.rst",
          "*.dts",
          "*.dtsi");

  private KernelBuild() {}

  static Optional<Path> find(Cache cache) throws IOException {
    return cache.find(product()).map(p -> p.resolve(IMAGE));
  }

  /** What the lab's own kernel was made from, the package and its version; if it is there. */
  static Optional<String> source(Cache cache) throws IOException {
    Optional<Path> product = cache.find(product());
    return product.isPresent()
        ? Optional.of(Files.readString(product.get().resolve(SOURCE)).strip())
        : Optional.empty();
  }

  /** Named by its options alone: what is said about them does not make another kernel. */
  private static String product() throws IOException {
    return "kernel-" + LabResources.stamp(options(LabResources.text(CONFIG)));
  }

  /** The options of a fragment, in an order of their own. */
  static String options(String fragment) {
    return fragment
        .lines()
        .map(String::strip)
        .filter(l -> !l.isEmpty() && !l.startsWith("#"))
        .sorted()
        .collect(Collectors.joining("\n"));
  }

  static Path make(Cache cache, PackageSource packages, String source, SetupOutput output)
      throws IOException, SetupException {
    return cache
        .make(product(), directory -> build(cache, packages, source, directory, output))
        .resolve(IMAGE);
  }

  private static void build(
      Cache cache, PackageSource packages, String source, Path directory, SetupOutput output)
      throws IOException, SetupException {
    Path work = cache.temporary("kernel");
    try {
      String version = packages.version(source);
      output.say("unpacking the kernel source " + version);
      Path tree = unpack(packages, source, work, EXCLUDED);
      Path config = Files.writeString(work.resolve("p2p.config"), LabResources.text(CONFIG));
      make(tree, "allnoconfig").with("KCONFIG_ALLCONFIG", config.toString()).run();
      AtomicLong objects = new AtomicLong();
      try (SetupOutput.Progress progress =
          output.progress("building the guest kernel " + version, "objects", OBJECTS)) {
        make(tree, "bzImage")
            .run(line -> {
              if (isObject(line)) {
                progress.at(objects.incrementAndGet());
              }
            });
      }
      Files.move(tree.resolve("arch/x86/boot/bzImage"), directory.resolve(IMAGE));
      Files.move(tree.resolve(".config"), directory.resolve("config"));
      Files.writeString(directory.resolve(SOURCE), source + " " + version + "\n");
    } finally {
      Cache.delete(work);
    }
  }

  static boolean isObject(String line) {
    return line.startsWith("  CC ") || line.startsWith("  AS ");
  }

  /**
   * Unpacks a source package; the directory of the source.
   *
   * @param excluded patterns of files that are not wanted
   */
  static Path unpack(PackageSource packages, String source, Path work, List<String> excluded)
      throws IOException, SetupException {
    packages.unpack(source::equals, work);
    Path archive;
    try (Stream<Path> files = Files.list(work.resolve("usr/src"))) {
      archive =
          files
              .filter(p -> p.getFileName().toString().matches("linux-source-.*\\.tar\\..*"))
              .findFirst()
              .orElseThrow(() -> new SetupException("The kernel source package has no archive."));
    }
    Path sources = Files.createDirectory(work.resolve("source"));
    List<String> words =
        new ArrayList<>(List.of("tar", "-xf", archive.toString(), "-C", sources.toString()));
    excluded.forEach(e -> words.add("--exclude=" + e));
    new SetupProgram(work, Map.of(), words).run();
    try (Stream<Path> trees = Files.list(sources)) {
      return trees.findFirst().orElseThrow();
    }
  }

  /** A run of make, on all processors. */
  static SetupProgram make(Path tree, String... words) {
    List<String> all =
        new ArrayList<>(List.of("make", "-j" + Runtime.getRuntime().availableProcessors()));
    all.addAll(List.of(words));
    return SetupProgram.in(tree, all.toArray(String[]::new))
        .with("KBUILD_BUILD_USER", "peerbar")
        .with("KBUILD_BUILD_HOST", "lab");
  }
}
