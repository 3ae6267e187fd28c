package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Kernels that a user asks for: of a tree of his own, patched, configured otherwise. Images are
 * products of the cache; what they were built from stays beside them, so that the next one takes as
 * long as what has changed.
 */
final class KernelBuilds {
  private static final String PRODUCT = "variant-";
  private static final String UNPACKED = "kernel-source-";
  private static final String COPY = "kernel-tree-";
  private static final String OBJECTS = "kernel-objects-";
  private static final String SELFTESTS = "selftests-";
  private static final String SELFTEST_OBJECTS = "selftest-objects-";
  private static final String TREE = "tree";

  /** Of the copy beside it: what was applied to it. Absent while that is not known. */
  private static final String STATE = "state";

  // 4 to 12 MB each.
  private static final int MOST_PRODUCTS = 24;

  // Up to 2 GB each, a third of it for hard links.
  private static final int MOST_COPIES = 2;

  // 6 MB each.
  private static final int MOST_SELFTESTS = 12;

  // 20 MB each.
  private static final int MOST_SELFTEST_OBJECTS = 6;

  // 0.2 to 0.5 GB each.
  private static final int MOST_OBJECTS = 6;

  private final Cache cache;
  private final SetupOutput output;

  KernelBuilds(Cache cache, SetupOutput output) {
    this.cache = cache;
    this.output = output;
  }

  /**
   * One that can be booted.
   *
   * @param arguments what its configuration wants on its command line
   */
  record Kernel(Path image, String arguments) {}

  /** All that were asked for, by the names of their variants. Call without the cache's lock. */
  Map<String, Kernel> make(KernelRequest request) throws IOException, SetupException {
    Map<String, Kernel> built = built(request);
    if (built.size() == request.variants().size()) {
      return built;
    }
    try (Cache.Lock _ =
        cache.workplaces(() -> output.say("waiting for another kernel that is being built"))) {
      return request.tree().isPresent()
          ? ofTree(request, request.tree().get().toRealPath())
          : ofDistribution(request);
    }
  }

  // Nobody waits for another's build who needs none.
  private Map<String, Kernel> built(KernelRequest request) throws IOException {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    List<Path> sources = cache.newest(UNPACKED);
    if (request.tree().isPresent() || sources.isEmpty()) {
      return kernels;
    }
    String source = source(sources.getFirst());
    for (KernelVariant variant : request.variants()) {
      Optional<Path> there = find(request, variant, source);
      if (there.isPresent()) {
        kernels.put(variant.name(), kernel(there.get(), variant));
      }
    }
    return kernels;
  }

  // A build takes minutes, in which others may set up what they need.
  private Cache.Lock lock() throws IOException {
    return cache.lock(() -> output.say("waiting for another set-up that is running"));
  }

  /** Of what is in the package, and which version it has. */
  private static String source(Path unpacked) throws IOException {
    return Files.readString(unpacked.resolve(KernelBuild.SOURCE)).strip();
  }

  /** The tests of vfio in the source that was asked for. Call without the cache's lock. */
  Selftests selftests(KernelRequest request) throws IOException, SetupException {
    Optional<Selftests> there = builtSelftests(request);
    if (there.isPresent()) {
      return there.get();
    }
    try (Cache.Lock _ =
        cache.workplaces(() -> output.say("waiting for another kernel that is being built"))) {
      if (request.tree().isPresent()) {
        Path origin = request.tree().get().toRealPath();
        String source = origin.toString();
        List<Path> programs = buildSelftests(tree(request, origin), source);
        return keepSelftests(SELFTESTS + SelftestBuild.stamp(programs), programs, source);
      }
      Path unpacked = unpacked();
      String source = source(unpacked);
      Path tree =
          request.patches().isEmpty()
              ? unpacked.resolve(TREE)
              : copyOfDistribution(request, unpacked, source);
      return keepSelftests(selftests(request, source), buildSelftests(tree, source), source);
    }
  }

  private Optional<Selftests> builtSelftests(KernelRequest request) throws IOException {
    List<Path> sources = cache.newest(UNPACKED);
    Optional<String> source =
        sources.isEmpty() ? KernelBuild.source(cache) : Optional.of(source(sources.getFirst()));
    return request.tree().isPresent()
        ? Optional.empty()
        : source.flatMap(known ->
            cache
                .find(selftests(request, known))
                .map(directory -> new Selftests(directory, known)));
  }

  private static String selftests(KernelRequest request, String source) {
    return SELFTESTS
        + LabResources.stamp(
            Stream.concat(Stream.of(source), request.patches().stream().map(KernelPatch::text))
                .toArray(String[]::new));
  }

  private List<Path> buildSelftests(Path tree, String source) throws IOException, SetupException {
    Path objects = cache.workplace(SELFTEST_OBJECTS + LabResources.stamp(tree.toString()));
    List<Path> programs =
        new SelftestBuild(tree, objects).build("the vfio selftest suite of " + source, output);
    cache.keepNewest(objects, SELFTEST_OBJECTS, MOST_SELFTEST_OBJECTS);
    return programs;
  }

  private Selftests keepSelftests(String product, List<Path> programs, String source)
      throws IOException, SetupException {
    try (Cache.Lock _ = lock()) {
      Path kept =
          cache.make(
              product,
              directory -> {
                for (Path program : programs) {
                  Files.copy(program, directory.resolve(program.getFileName()));
                }
              });
      cache.keepNewest(kept, SELFTESTS, MOST_SELFTESTS);
      return new Selftests(kept, source);
    }
  }

  /** The user's own source, or a copy if it cannot be built from as it is. */
  private Path tree(KernelRequest request, Path origin) throws IOException, SetupException {
    return !request.patches().isEmpty() || SourceCopy.isBuiltIn(origin)
        ? copyOfTree(request, origin)
        : origin;
  }

  private Map<String, Kernel> ofTree(KernelRequest request, Path origin)
      throws IOException, SetupException {
    Path tree = tree(request, origin);
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (KernelVariant variant : request.variants()) {
      Path image = build(tree, origin.toString(), variant);
      // By what is in it: the next build's image must not appear under a guest's feet.
      String product =
          PRODUCT + LabResources.stamp(Files.readString(image, StandardCharsets.ISO_8859_1));
      kernels.put(variant.name(), kernel(keep(product, image, origin.toString()), variant));
    }
    return kernels;
  }

  private Path copyOfTree(KernelRequest request, Path origin) throws IOException, SetupException {
    if (SourceCopy.isBuiltIn(origin) && !SourceCopy.isGit(origin)) {
      throw new SetupException(
          "A kernel was built in %s itself, and without git nobody knows which files there are its source: run make mrproper there (it removes .config, too), and build with O=DIR from now on."
              .formatted(origin));
    }
    output.say("copying the source of " + origin);
    return copy(origin, LabResources.stamp(origin.toString()), false, request.patches());
  }

  private Map<String, Kernel> ofDistribution(KernelRequest request)
      throws IOException, SetupException {
    Path unpacked = unpacked();
    String source = source(unpacked);
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    Path tree = null;
    for (KernelVariant variant : request.variants()) {
      Optional<Path> there = find(request, variant, source);
      if (there.isEmpty()) {
        if (tree == null) {
          tree = copyOfDistribution(request, unpacked, source);
        }
        Path image = build(tree, source, variant);
        there = Optional.of(keep(product(request, variant, source), image, source));
      }
      kernels.put(variant.name(), kernel(there.get(), variant));
    }
    return kernels;
  }

  private Path copyOfDistribution(KernelRequest request, Path unpacked, String source)
      throws IOException, SetupException {
    String version = source.substring(source.indexOf(' ') + 1);
    return copy(unpacked.resolve(TREE), version, true, request.patches());
  }

  private Optional<Path> find(KernelRequest request, KernelVariant variant, String source)
      throws IOException {
    boolean labsOwn = request.patches().isEmpty() && variant.fragments().isEmpty();
    if (labsOwn && KernelBuild.source(cache).equals(Optional.of(source))) {
      return KernelBuild.find(cache).map(Path::getParent);
    }
    return cache.find(product(request, variant, source));
  }

  /** By all that an image depends on; what is said about options does not make another kernel. */
  static String product(KernelRequest request, KernelVariant variant, String source)
      throws IOException {
    List<String> parts = new ArrayList<>(List.of(source));
    request.patches().forEach(patch -> parts.add(patch.text()));
    for (Fragment fragment : variant.files()) {
      parts.add(KernelBuild.options(fragment.text()));
    }
    return PRODUCT + LabResources.stamp(parts.toArray(String[]::new));
  }

  private Path keep(String product, Path image, String source) throws IOException, SetupException {
    try (Cache.Lock _ = lock()) {
      Path kept =
          cache.make(
              product,
              directory -> {
                Files.copy(image, directory.resolve(KernelBuild.IMAGE));
                Files.writeString(directory.resolve(KernelBuild.SOURCE), source + "\n");
              });
      cache.keepNewest(kept, PRODUCT, MOST_PRODUCTS);
      return kept;
    }
  }

  private static Kernel kernel(Path product, KernelVariant variant) throws IOException {
    return new Kernel(
        product.resolve(KernelBuild.IMAGE),
        variant.files().stream()
            .map(Fragment::commandLine)
            .filter(words -> !words.isEmpty())
            .distinct()
            .collect(Collectors.joining(" ")));
  }

  private Path build(Path tree, String source, KernelVariant variant)
      throws IOException, SetupException {
    List<Fragment> fragments = variant.files();
    List<String> identity = new ArrayList<>(List.of(tree.toString()));
    fragments.forEach(fragment -> identity.add(fragment.name()));
    Path objects = cache.workplace(OBJECTS + LabResources.stamp(identity.toArray(String[]::new)));
    Path image =
        new KernelMake(tree, objects)
            .build("the kernel %s of %s".formatted(variant, source), fragments, output);
    cache.keepNewest(objects, OBJECTS, MOST_OBJECTS);
    return image;
  }

  private Path unpacked() throws IOException, SetupException {
    List<Path> there = cache.newest(UNPACKED);
    if (!there.isEmpty()) {
      return there.getFirst();
    }
    try (Cache.Lock _ = lock();
        PackageSource packages = PackageSource.open(cache, Debian.ofMachine(), output)) {
      String source = packages.newestKernelSource();
      packages.download(List.of(source));
      String version = packages.version(source);
      return cache.make(
          UNPACKED + version,
          directory -> {
            output.say("unpacking the kernel source " + version);
            Path work = cache.temporary("kernel");
            try {
              // All of it: patches may be about any file.
              Files.move(
                  KernelBuild.unpack(packages, source, work, List.of()), directory.resolve(TREE));
            } finally {
              Cache.delete(work);
            }
            Files.writeString(directory.resolve(KernelBuild.SOURCE), source + " " + version + "\n");
          });
    }
  }

  /** A copy at a place that is always the same, so that objects can be built from it again. */
  private Path copy(Path origin, String name, boolean links, List<KernelPatch> patches)
      throws IOException, SetupException {
    Path place = cache.workplace(COPY + name);
    Path tree = place.resolve(TREE);
    Path state = place.resolve(STATE);
    String wanted =
        LabResources.stamp(patches.stream().map(KernelPatch::text).toArray(String[]::new));
    Files.createDirectories(place);
    cache.keepNewest(place, COPY, MOST_COPIES);
    // The distribution's source never changes.
    if (links && Files.exists(state) && Files.readString(state).equals(wanted)) {
      return tree;
    }
    Files.deleteIfExists(state);
    new SourceCopy(origin, tree, links).renew();
    for (KernelPatch patch : patches) {
      output.say("applying " + patch.name());
      Patching.apply(patch, tree, place);
    }
    Files.writeString(state, wanted);
    return tree;
  }
}
