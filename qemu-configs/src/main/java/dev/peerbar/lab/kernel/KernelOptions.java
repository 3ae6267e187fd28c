package dev.peerbar.lab.kernel;

import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.guest.Guest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Which options of {@code kernel/p2p.config} a guest's kernel has, as far as that is known. */
public final class KernelOptions {
  private static final String PROC_CONFIG = "/proc/config.gz";

  /** An image that has been looked into, which takes its time: a process boots it many times. */
  private record Image(Path file, FileTime changed, Optional<Path> modules) {}

  private static final Map<Image, KernelOptions> SEEN = new ConcurrentHashMap<>();

  private final String source;
  private final boolean known;
  private final Map<KernelNeed, List<KernelFragment.Option>> groups;
  private final Set<String> missing;
  private final Set<String> modules;

  private KernelOptions(
      String source,
      boolean known,
      Map<KernelNeed, List<KernelFragment.Option>> groups,
      Set<String> missing,
      Set<String> modules) {
    this.source = source;
    this.known = known;
    this.groups = groups;
    this.missing = Set.copyOf(missing);
    this.modules = Set.copyOf(modules);
  }

  /** What can be told of the kernel before it runs: by its configuration, if that can be found. */
  public static KernelOptions of(LabFiles files) throws IOException {
    if (!Files.exists(files.kernel())) {
      return read(files);
    }
    Image image =
        new Image(files.kernel(), Files.getLastModifiedTime(files.kernel()), files.modules());
    KernelOptions seen = SEEN.get(image);
    if (seen == null) {
      seen = read(files);
      SEEN.put(image, seen);
    }
    return seen;
  }

  private static KernelOptions read(LabFiles files) throws IOException {
    Optional<KernelConfig> config = KernelConfig.find(files.kernel(), files.modules());
    return config.isPresent()
        ? of(config.get(), files)
        : new KernelOptions(
            "no configuration of it", false, KernelFragment.read(), Set.of(), Set.of());
  }

  /**
   * These, if there is something to know them by; else what can be told by the kernel that runs: by
   * its configuration, or by what is there.
   */
  public KernelOptions orOf(LabFiles files, Guest guest) throws IOException {
    if (known) {
      return this;
    }
    if (guest.system().exists(PROC_CONFIG)) {
      return of(
          KernelConfig.parse("the guest's " + PROC_CONFIG, guest.system().readFile(PROC_CONFIG)),
          files);
    }
    return new KernelOptions(
        "what the guest has and has not", true, groups, new KernelProbe(guest).missing(), Set.of());
  }

  private static KernelOptions of(KernelConfig config, LabFiles files) throws IOException {
    Optional<KernelModules> modules =
        files.modules().isPresent()
            ? Optional.of(KernelModules.in(files.modules().get(), files.kernel()))
            : Optional.empty();
    return of(config, KernelFragment.read(), modules);
  }

  static KernelOptions of(
      KernelConfig config,
      Map<KernelNeed, List<KernelFragment.Option>> groups,
      Optional<KernelModules> modules) {
    Set<String> missing = new LinkedHashSet<>();
    Set<String> asModules = new LinkedHashSet<>();
    for (List<KernelFragment.Option> group : groups.values()) {
      for (KernelFragment.Option option : group) {
        String value = config.values().getOrDefault(option.name(), "n");
        boolean module = value.equals("m") && option.module().isPresent();
        if (module && modules.isEmpty()) {
          asModules.add(option.name());
        }
        boolean loaded = module && modules.isPresent() && modules.get().has(option.module().get());
        if (!value.equals("y") && !loaded) {
          missing.add(option.name());
        }
      }
    }
    return new KernelOptions(config.source(), true, groups, missing, asModules);
  }

  /** By what this is known, in words. */
  public String source() {
    return source;
  }

  /** Whether there is something to know it by. If not, nothing is said to be missing. */
  public boolean known() {
    return known;
  }

  /** The options that are needed for something and are not there, such as {@code CONFIG_VFIO}. */
  public List<String> missing(KernelNeed... needs) {
    return missing(Arrays.asList(needs));
  }

  /** The options that are needed for something and are not there, such as {@code CONFIG_VFIO}. */
  public List<String> missing(Collection<KernelNeed> needs) {
    List<String> lacking = new ArrayList<>();
    groups.forEach((need, options) -> {
      if (needs.contains(need)) {
        options.stream()
            .map(KernelFragment.Option::name)
            .filter(missing::contains)
            .forEach(lacking::add);
      }
    });
    return List.copyOf(lacking);
  }

  /**
   * What is missing, in a clause that begins with "the kernel".
   *
   * @param lacking some of it, at least one
   */
  public String clause(List<String> lacking) {
    List<String> absent = lacking.stream().filter(o -> !modules.contains(o)).toList();
    List<String> loadable = lacking.stream().filter(modules::contains).toList();
    StringBuilder said = new StringBuilder("the kernel ");
    if (!absent.isEmpty()) {
      said.append("lacks ").append(list(absent));
    }
    if (!loadable.isEmpty()) {
      said.append(absent.isEmpty() ? "" : ", and ")
          .append("has ")
          .append(list(loadable))
          .append(" in modules, which it has not got without --modules=DIR");
    }
    return said.append(" (by ").append(source).append(")").toString();
  }

  private static String list(List<String> names) {
    return names.size() == 1
        ? names.getFirst()
        : String.join(", ", names.subList(0, names.size() - 1)) + " and " + names.getLast();
  }
}
