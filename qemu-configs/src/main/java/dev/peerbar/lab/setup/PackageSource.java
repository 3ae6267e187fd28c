package dev.peerbar.lab.setup;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Packages of a suite that need not be the machine's own, downloaded with everything they depend on
 * and without root: an apt configuration with its own lists, cache and empty status file. The
 * mirror is the machine's own.
 */
final class PackageSource implements AutoCloseable {
  private static final Pattern KERNEL_SOURCE = Pattern.compile("linux-source-(\\d+)\\.(\\d+)");
  private static final Path KEYRING = Path.of("/usr/share/keyrings/debian-archive-keyring.gpg");

  private final Path directory;
  private final Path configuration;
  private final Debian debian;
  private final SetupOutput output;

  private PackageSource(Path directory, Debian debian, SetupOutput output) {
    this.directory = directory;
    this.debian = debian;
    this.output = output;
    configuration = directory.resolve("apt.conf");
  }

  /** Reads the lists of packages into a temporary directory, which goes when this is closed. */
  static PackageSource open(Cache cache, Debian debian, SetupOutput output)
      throws IOException, SetupException {
    if (!SetupProgram.exists("apt-get") || !SetupProgram.exists("dpkg-deb")) {
      throw new SetupException(
          "apt-get and dpkg-deb are missing, without which nothing can be downloaded.");
    }
    PackageSource source = new PackageSource(cache.temporary("packages"), debian, output);
    try {
      source.configure();
      output.say("reading the package lists of " + String.join(" and ", debian.suites()));
      // Without the option, lists that could not be fetched are a warning.
      source.apt("apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update").run();
      return source;
    } catch (SetupException e) {
      source.close();
      throw new SetupException(
          "The package lists cannot be read; check the network and run ./peerbar setup again.\n"
              + e.getMessage(),
          e);
    } catch (IOException | RuntimeException e) {
      source.close();
      throw e;
    }
  }

  private void configure() throws IOException, SetupException {
    for (String d :
        List.of(
            "etc/apt.conf.d",
            "etc/preferences.d",
            "state/lists/partial",
            "cache/archives/partial")) {
      Files.createDirectories(directory.resolve(d));
    }
    Files.createFile(directory.resolve("status"));
    String mirror = mirror();
    List<String> sources = new ArrayList<>();
    for (String suite : debian.suites()) {
      sources.add("deb [signed-by=%s] %s %s main".formatted(KEYRING, mirror, suite));
    }
    Files.write(directory.resolve("etc/sources.list"), sources);
    List<String> lines = new ArrayList<>(machineAcquire());
    lines.add("Dir::Etc \"%s\";".formatted(directory.resolve("etc")));
    lines.add("Dir::Etc::sourcelist \"%s\";".formatted(directory.resolve("etc/sources.list")));
    lines.add("Dir::Etc::sourceparts \"-\";");
    lines.add("Dir::Etc::netrc \"/etc/apt/auth.conf\";");
    lines.add("Dir::Etc::netrcparts \"/etc/apt/auth.conf.d\";");
    lines.add("Dir::State \"%s\";".formatted(directory.resolve("state")));
    lines.add("Dir::State::status \"%s\";".formatted(directory.resolve("status")));
    lines.add("Dir::Cache \"%s\";".formatted(directory.resolve("cache")));
    lines.add("APT::Architecture \"amd64\";");
    lines.add("APT::Architectures { \"amd64\"; };");
    lines.add("APT::Install-Recommends \"false\";");
    lines.add("APT::Sandbox::User \"root\";");
    lines.add("Acquire::Languages \"none\";");
    lines.add("Acquire::Retries \"3\";");
    Files.write(configuration, lines);
  }

  // Proxies and the like: the private configuration replaces the machine's, so they have to be
  // carried over.
  private List<String> machineAcquire() throws IOException, SetupException {
    return SetupProgram.in(directory, "apt-config", "dump", "Acquire")
        .output()
        .lines()
        .filter(l -> l.matches("Acquire::(http|https|ftp|ForceIPv4|ForceIPv6)(::.*)? \".+\";"))
        .toList();
  }

  private String mirror() throws IOException, SetupException {
    List<String> targets =
        SetupProgram.in(
                directory,
                "apt-get",
                "indextargets",
                "--format",
                "$(REPO_URI) $(RELEASE)",
                "Created-By: Packages")
            .output()
            .lines()
            .toList();
    return mirror(targets, debian.codename())
        .orElseThrow(() ->
            new SetupException(
                "No mirror of %s is known to apt; run: apt-get update"
                    .formatted(debian.codename())));
  }

  static Optional<String> mirror(List<String> targets, String codename) {
    return targets.stream()
        .map(l -> l.strip().split(" "))
        .filter(w -> w.length == 2 && w[0].contains("://") && w[1].equals(codename))
        .map(w -> w[0])
        .findFirst();
  }

  /** The name of the newest kernel source package. */
  String newestKernelSource() throws IOException, SetupException {
    List<String> names = apt("apt-cache", "pkgnames", "linux-source-").output().lines().toList();
    return newestKernelSource(names)
        .orElseThrow(() ->
            new SetupException("There is no linux-source package in " + debian.suites() + "."));
  }

  static Optional<String> newestKernelSource(List<String> names) {
    return names.stream()
        .map(KERNEL_SOURCE::matcher)
        .filter(Matcher::matches)
        .max(
            Comparator.comparingInt((Matcher m) -> Integer.parseInt(m.group(1)))
                .thenComparingInt(m -> Integer.parseInt(m.group(2))))
        .map(Matcher::group);
  }

  /** Downloads packages and all that they depend on. */
  void download(List<String> packages) throws IOException, SetupException {
    download(packages, List.of());
  }

  /**
   * Downloads packages and all that they depend on into a directory of their own.
   *
   * @param assumed packages to do without, with what only they depend on
   * @param archives an empty directory
   */
  void download(List<String> packages, List<String> assumed, Path archives)
      throws IOException, SetupException {
    Files.createDirectories(archives.resolve("partial"));
    Path status = archives.resolve("status");
    Files.write(status, assumed.stream().map(PackageSource::installed).toList());
    download(packages, List.of("Dir::State::status=" + status, "Dir::Cache::archives=" + archives));
  }

  // A paragraph of dpkg's status file that satisfies whoever needs the package.
  private static String installed(String name) {
    return """
    Package: %s
    Status: install ok installed
    Architecture: all
    Multi-Arch: foreign
    Version: 999
    Maintainer: none
    Description: not needed
    """
        .formatted(name);
  }

  private void download(List<String> packages, List<String> options)
      throws IOException, SetupException {
    List<String> words = new ArrayList<>(List.of("apt-get", "-q", "-y", "--download-only"));
    for (String option : options) {
      words.addAll(List.of("-o", option));
    }
    words.addAll(List.of("-o", "APT::Status-Fd=1", "-t", debian.suites().getLast(), "install"));
    words.addAll(packages);
    try (SetupOutput.Progress progress =
        output.progress("downloading " + String.join(", ", packages), "per mille", 1000)) {
      apt(words.toArray(String[]::new)).run(line -> perMille(line).ifPresent(progress::at));
    } catch (SetupException e) {
      throw new SetupException(
          "Packages cannot be downloaded; check the network and run ./peerbar setup again.\n"
              + e.getMessage(),
          e);
    }
  }

  // dlstatus:1:12.3456:Retrieving file 7 of 83
  static Optional<Long> perMille(String line) {
    String[] fields = line.split(":", 4);
    return fields.length == 4 && fields[0].equals("dlstatus")
        ? Optional.of((long) (10 * Double.parseDouble(fields[2])))
        : Optional.empty();
  }

  /** Unpacks every downloaded package that is wanted. */
  void unpack(java.util.function.Predicate<String> wanted, Path to)
      throws IOException, SetupException {
    for (Path deb : archives()) {
      if (wanted.test(packageName(deb))) {
        unpack(deb, to);
      }
    }
  }

  /** Unpacks all that was downloaded into a directory. */
  void unpackAll(Path archives, Path to) throws IOException, SetupException {
    for (Path deb : archives(archives)) {
      unpack(deb, to);
    }
  }

  private void unpack(Path deb, Path to) throws IOException, SetupException {
    SetupProgram.in(directory, "dpkg-deb", "-x", deb.toString(), to.toString()).run();
  }

  /** The version of a downloaded package. */
  String version(String name) throws IOException {
    for (Path deb : archives()) {
      if (packageName(deb).equals(name)) {
        return deb.getFileName().toString().split("_")[1].replace("%3a", ":");
      }
    }
    throw new IOException(name + " was not downloaded");
  }

  private List<Path> archives() throws IOException {
    return archives(directory.resolve("cache/archives"));
  }

  private static List<Path> archives(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(p -> p.toString().endsWith(".deb")).sorted().toList();
    }
  }

  private static String packageName(Path deb) {
    return deb.getFileName().toString().split("_")[0];
  }

  private SetupProgram apt(String... words) {
    return SetupProgram.in(directory, words).with("APT_CONFIG", configuration.toString());
  }

  @Override
  public void close() throws IOException {
    Cache.delete(directory);
  }
}
