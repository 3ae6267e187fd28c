package dev.peerbar.lab.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The modules of a kernel, in a directory as {@code make modules_install} and distributions make
 * it: {@code lib/modules/RELEASE}.
 *
 * <p>What depends on what is read from the modules themselves, as {@code depmod} does: packages
 * have no {@code modules.dep} until they are installed.
 */
public final class KernelModules {
  private static final Pattern FILE = Pattern.compile("(.+)\\.ko(\\.(xz|zst|gz))?");
  private static final String BUILT_IN = "modules.builtin";

  /** What depmod prefers to the rest. */
  private static final String UPDATES = "updates";

  private final Path directory;
  private final Map<String, Path> files;

  private KernelModules(Path directory, Map<String, Path> files) {
    this.directory = directory;
    this.files = files;
  }

  /**
   * Those in a directory.
   *
   * @param given the directory, or one that has that of the kernel in it
   * @param image the kernel, whose release tells which if there are several
   * @throws IOException if there are none; the message says what there is
   */
  public static KernelModules in(Path given, Path image) throws IOException {
    if (!Files.isDirectory(given)) {
      throw new IOException("The modules " + given + " are no directory");
    }
    if (isModules(given)) {
      return index(given);
    }
    List<Path> inside;
    try (Stream<Path> entries = Files.list(given)) {
      inside = entries.filter(KernelModules::isModules).sorted().toList();
    }
    Optional<String> release = KernelImage.read(image).release();
    for (Path directory : inside) {
      if (inside.size() == 1 || release.equals(Optional.of(directory.getFileName().toString()))) {
        return index(directory);
      }
    }
    throw new IOException(
        inside.isEmpty()
            ? "The directory " + given + " has no kernel modules, as lib/modules/RELEASE has"
            : "The directory %s has modules of several kernels, and none of %s: %s"
                .formatted(
                    given,
                    release.orElse("this one"),
                    inside.stream()
                        .map(d -> d.getFileName().toString())
                        .collect(Collectors.joining(", "))));
  }

  private static boolean isModules(Path directory) {
    return Files.isDirectory(directory.resolve("kernel"))
        || Files.isRegularFile(directory.resolve(BUILT_IN));
  }

  private static KernelModules index(Path directory) throws IOException {
    Map<String, Path> files = new HashMap<>();
    // The trees of the sources may be linked to from there; they are not looked into.
    try (Stream<Path> all = Files.walk(directory)) {
      Comparator<Path> order =
          Comparator.comparing((Path p) -> !directory.relativize(p).startsWith(UPDATES))
              .thenComparing(Comparator.naturalOrder());
      for (Path file : all.filter(Files::isRegularFile).sorted(order).toList()) {
        Matcher name = FILE.matcher(file.getFileName().toString());
        if (name.matches()) {
          files.putIfAbsent(plain(name.group(1)), file);
        }
      }
    }
    return new KernelModules(directory, files);
  }

  // The kernel takes either, and says underscores.
  private static String plain(String name) {
    return name.replace('-', '_');
  }

  public Path directory() {
    return directory;
  }

  boolean has(String module) {
    return files.containsKey(plain(module));
  }

  /**
   * The modules that a guest can use, of those that {@code kernel/p2p.config} asks for, each after
   * what it depends on.
   *
   * @throws IOException if one cannot be read, or is of another kernel
   */
  public List<KernelModule> forGuests(Path image) throws IOException {
    Map<String, KernelModule> chosen = new LinkedHashMap<>();
    Set<String> begun = new HashSet<>();
    for (List<KernelFragment.Option> options : KernelFragment.read().values()) {
      for (KernelFragment.Option option : options) {
        if (option.module().isPresent() && has(option.module().get())) {
          add(option.module().get(), chosen, begun);
        }
      }
    }
    Optional<String> release = KernelImage.read(image).release();
    for (KernelModule module : chosen.values()) {
      if (release.isPresent()
          && module.release().isPresent()
          && !release.equals(module.release())) {
        throw new IOException(
            "The modules in %s are of the kernel %s, and %s is %s"
                .formatted(directory, module.release().get(), image, release.get()));
      }
    }
    return List.copyOf(chosen.values());
  }

  private void add(String name, Map<String, KernelModule> chosen, Set<String> begun)
      throws IOException {
    String plain = plain(name);
    // Two modules may wish for each other.
    if (!begun.add(plain)) {
      return;
    }
    KernelModule module = KernelModule.read(plain, files.get(plain));
    for (String needed : module.dependencies()) {
      // One that has no file is built in, or the kernel will say that it is missing.
      if (has(needed)) {
        add(needed, chosen, begun);
      }
    }
    for (String wished : module.wishes()) {
      if (has(wished)) {
        add(wished, chosen, begun);
      }
    }
    chosen.put(plain, module);
  }
}
