package dev.peerbar.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Where it was measured.
 *
 * @param processor its model, as it names itself
 * @param processors how many this process may use
 * @param memory in bytes
 * @param hugePages for anonymous and for shared memory (transparent_hugepage in sysfs)
 * @param virtualisation what the machine is a guest of, if it is one: a name, as far as it tells
 */
public record Environment(
    String processor,
    int processors,
    long memory,
    String hugePages,
    String kernel,
    String distribution,
    String jdk,
    Optional<String> virtualisation) {

  private static final String UNKNOWN = "unknown";
  private static final Path HUGE_PAGES = Path.of("/sys/kernel/mm/transparent_hugepage");
  private static final Path DMI = Path.of("/sys/class/dmi/id");
  private static final long KIB = 1024;

  /** This one. What it does not tell is "unknown". */
  public static Environment here() {
    List<String> cpu = lines(Path.of("/proc/cpuinfo"));
    return new Environment(
        field(cpu, "model name", ":").orElse(System.getProperty("os.arch")),
        Runtime.getRuntime().availableProcessors(),
        totalMemory(),
        chosen("enabled") + " (shared memory: " + chosen("shmem_enabled") + ")",
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        field(lines(Path.of("/etc/os-release")), "PRETTY_NAME", "=")
            .map(name -> name.replace("\"", ""))
            .orElse(UNKNOWN),
        System.getProperty("java.vm.name")
            + " "
            + Runtime.version()
            + ", "
            + System.getProperty("java.vendor"),
        host(field(cpu, "flags", ":").orElse("")));
  }

  private static long totalMemory() {
    return field(lines(Path.of("/proc/meminfo")), "MemTotal", ":")
        .map(text -> Long.parseLong(text.split(" ")[0]) * KIB)
        .orElse(0L);
  }

  /** A guest's processors have a flag of their own. */
  private static Optional<String> host(String flags) {
    if (!List.of(flags.split(" ")).contains("hypervisor")) {
      return Optional.empty();
    }
    String name =
        Stream.of("sys_vendor", "product_name")
            .flatMap(file -> lines(DMI.resolve(file)).stream())
            .map(String::strip)
            .distinct()
            .collect(Collectors.joining(" "));
    return Optional.of(name.isEmpty() ? "unknown host" : name);
  }

  /** Of a list of choices, the one in brackets. */
  private static String chosen(String file) {
    return lines(HUGE_PAGES.resolve(file)).stream()
        .flatMap(line -> Arrays.stream(line.split(" ")))
        .filter(choice -> choice.startsWith("["))
        .map(choice -> choice.substring(1, choice.length() - 1))
        .findFirst()
        .orElse(UNKNOWN);
  }

  private static Optional<String> field(List<String> lines, String name, String separator) {
    return lines.stream()
        .map(line -> line.split(separator, 2))
        .filter(pair -> pair.length == 2 && pair[0].strip().equals(name))
        .map(pair -> pair[1].strip())
        .findFirst();
  }

  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      return List.of();
    }
  }
}
