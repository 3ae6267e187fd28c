package dev.peerbar.scenario.report;

import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Parts of a run, such as shards, as one. */
public final class Merge {
  private Merge() {}

  /**
   * A report that was read.
   *
   * @param directory where it is
   */
  public record Source(Path directory, Results results) {

    private Set<Trial> trials() {
      return results.results().stream()
          .map(r -> new Trial(r.setting(), r.scenario(), r.round()))
          .collect(Collectors.toSet());
    }
  }

  private record Trial(String setting, String scenario, int round) {}

  /**
   * Which reports are parts of the same run: those with one seed, as many rounds and the same
   * kernels that have no result in common.
   *
   * @return runs in the order in which they began, and their parts likewise
   */
  public static List<List<Source>> runs(List<Source> sources) {
    List<List<Source>> runs = new ArrayList<>();
    sources.stream()
        .sorted(Comparator.comparing(source -> source.results.run().began()))
        .forEach(source ->
            runs.stream()
                .filter(run -> run.stream().allMatch(part -> belongTogether(part, source)))
                .findFirst()
                .ifPresentOrElse(
                    run -> run.add(source), () -> runs.add(new ArrayList<>(List.of(source)))));
    return runs;
  }

  private static boolean belongTogether(Source one, Source other) {
    return one.results.run().seed() == other.results.run().seed()
        && one.results.run().rounds() == other.results.run().rounds()
        && agree(one.results.kernels(), other.results.kernels())
        && inBoth(one, other).isEmpty();
  }

  /** Whether kernels of one name are one kernel, as far as that is known. */
  private static boolean agree(List<Results.Kernel> some, List<Results.Kernel> others) {
    Map<String, String> releases = new LinkedHashMap<>();
    some.forEach(kernel -> releases.put(kernel.label(), kernel.release()));
    return others.stream()
        .allMatch(k -> releases.getOrDefault(k.label(), k.release()).equals(k.release()));
  }

  private static Optional<Trial> inBoth(Source one, Source other) {
    Set<Trial> trials = one.trials();
    return other.trials().stream().filter(trials::contains).findAny();
  }

  /**
   * All parts as one.
   *
   * @param parts at least one
   * @param directory where the result will be written: paths in it are relative to that
   * @throws NoReportException with a sentence if two parts have a result in common
   */
  public static Results of(List<Source> parts, Path directory) throws NoReportException {
    for (int i = 0; i < parts.size(); i++) {
      for (Source other : parts.subList(i + 1, parts.size())) {
        Optional<Trial> both = inBoth(parts.get(i), other);
        if (both.isPresent()) {
          throw new NoReportException(
              "%s and %s are not parts of one run: both have %s in %s."
                  .formatted(
                      parts.get(i).directory,
                      other.directory,
                      both.get().scenario,
                      both.get().setting));
        }
      }
    }
    Map<String, Results.Kernel> kernels = new LinkedHashMap<>();
    Map<String, Results.Setting> settings = new LinkedHashMap<>();
    List<Results.Result> results = new ArrayList<>();
    for (Source part : parts) {
      Function<String, String> moved = moved(part.directory, directory);
      part.results.kernels().forEach(k -> kernels.putIfAbsent(k.label(), k));
      part.results
          .settings()
          .forEach(setting -> settings.merge(setting.name(), moved(setting, moved), Merge::both));
      part.results.results().forEach(result -> results.add(moved(result, moved)));
    }
    return new Results(
        Results.FORMAT,
        run(parts.stream().map(part -> part.results.run()).toList()),
        List.copyOf(kernels.values()),
        List.copyOf(settings.values()),
        results);
  }

  private static Results.RunFacts run(List<Results.RunFacts> parts) {
    Results.RunFacts first = parts.getFirst();
    List<String> hosts = parts.stream().map(p -> p.host().name()).distinct().toList();
    Results.Host host = first.host();
    return new Results.RunFacts(
        first.version(),
        first.command(),
        first.seed(),
        first.rounds(),
        parts.stream().mapToInt(Results.RunFacts::planned).sum(),
        first.began(),
        seconds(parts),
        new Results.Host(String.join(", ", hosts), host.processors(), host.kernel(), host.jdk()));
  }

  /** From the beginning of the first to the end of the last. */
  private static double seconds(List<Results.RunFacts> parts) {
    try {
      Instant first = Instant.parse(parts.getFirst().began());
      return parts.stream()
          .mapToDouble(
              p -> Duration.between(first, Instant.parse(p.began())).toSeconds() + p.seconds())
          .max()
          .orElse(0);
    } catch (DateTimeParseException e) {
      return parts.stream().mapToDouble(Results.RunFacts::seconds).sum();
    }
  }

  private static Results.Setting both(Results.Setting one, Results.Setting other) {
    return with(
        one,
        one.ended() && other.ended(),
        joined(one.boots(), other.boots()),
        joined(one.problems(), other.problems()),
        one.machine().isEmpty() ? other.machine() : one.machine());
  }

  private static <T> List<T> joined(List<T> some, List<T> more) {
    List<T> all = new ArrayList<>(some);
    all.addAll(more);
    return all;
  }

  private static Results.Setting moved(Results.Setting setting, Function<String, String> moved) {
    return with(
        setting,
        setting.ended(),
        setting.boots().stream()
            .map(b ->
                new Results.Boot(
                    b.number(),
                    b.seconds(),
                    b.release(),
                    b.failure(),
                    b.complaints(),
                    moved.apply(b.logs())))
            .toList(),
        setting.problems(),
        setting.machine());
  }

  private static Results.Setting with(
      Results.Setting setting,
      boolean ended,
      List<Results.Boot> boots,
      List<Results.Problem> problems,
      List<Results.Device> machine) {
    return new Results.Setting(
        setting.name(),
        setting.fixture(),
        setting.topology(),
        setting.viommu(),
        setting.cpu(),
        setting.variant(),
        setting.kernelArguments(),
        setting.cpus(),
        setting.kernel(),
        setting.began(),
        ended,
        boots,
        problems,
        machine);
  }

  private static Results.Result moved(Results.Result r, Function<String, String> moved) {
    return new Results.Result(
        r.setting(),
        r.scenario(),
        r.does(),
        r.expects(),
        r.round(),
        r.seed(),
        r.outcome(),
        r.text(),
        r.problems(),
        r.evidence(),
        r.logs().isEmpty() ? "" : moved.apply(r.logs()),
        r.seconds(),
        r.measures(),
        r.routes(),
        r.subtests(),
        r.timeline(),
        r.repeat());
  }

  /** Makes a path that is relative to one directory lead to the same place from another. */
  private static Function<String, String> moved(Path from, Path to) {
    return path -> {
      Path absolute = from.toAbsolutePath().normalize().resolve(path).normalize();
      return to.toAbsolutePath().normalize().relativize(absolute).toString();
    };
  }
}
