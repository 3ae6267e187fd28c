package dev.peerbar.scenario.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What two runs differ in. A scenario in a setting is compared by all its rounds: it fails if it
 * fails in one.
 *
 * @param older when the older began, and of what
 * @param newer likewise
 * @param changes of outcomes, those that began to fail first
 * @param shifts of what scenarios recorded, and of how long they took
 */
public record Comparison(String older, String newer, List<Change> changes, List<Shift> shifts) {
  /** What is compared of a setting's guests. */
  private static final String GUESTS = "guests";

  private static final double NOTEWORTHY = 3;

  /** How many that only one of the runs tried are told one by one. */
  private static final int MOST_OF_ONE_RUN = 10;

  /** How long scenarios take is worth a line only if a person would notice. */
  private static final double NOTICED_SECONDS = 1;

  private static final String TIME = "time it took";
  private static final String SECONDS = "s";

  /** Kinds of changes. */
  public enum Kind {
    BEGAN_TO_FAIL("began to fail"),
    BEGAN_TO_PASS("began to pass"),
    SKIP_CHANGED("skipped otherwise"),
    APPEARED("appeared"),
    DISAPPEARED("disappeared");

    private final String words;

    Kind(String words) {
      this.words = words;
    }

    /** What people call it. */
    public String words() {
      return words;
    }
  }

  /**
   * An outcome that changed.
   *
   * @param setting its name, without that of a run's only kernel
   * @param before what came of it in the older run; empty if it was not in that
   * @param after likewise in the newer
   */
  public record Change(Kind kind, String scenario, String setting, String before, String after) {}

  /**
   * A time or a count that changed by more than three times: medians of the rounds that passed.
   *
   * @param unit empty for a count
   */
  public record Shift(
      String scenario, String setting, String name, String unit, double before, double after) {}

  public Comparison {
    changes = List.copyOf(changes);
    shifts = List.copyOf(shifts);
  }

  private record Key(String scenario, String setting) {}

  /** All rounds of a scenario in a setting. */
  private record Rounds(List<Results.Result> results, List<Results.Problem> problems) {
    boolean fails() {
      return !problems.isEmpty()
          || results.stream().anyMatch(r -> r.outcome() == Results.Outcome.FAILED);
    }

    boolean skipped() {
      return !results.isEmpty()
          && results.stream().allMatch(r -> r.outcome() == Results.Outcome.SKIPPED);
    }

    String words() {
      if (!problems.isEmpty()) {
        return "failed, " + words(problems.getFirst());
      }
      List<Results.Result> failed =
          results.stream().filter(r -> r.outcome() == Results.Outcome.FAILED).toList();
      if (!failed.isEmpty()) {
        String often =
            results.size() == 1 ? "" : " %d of %d times".formatted(failed.size(), results.size());
        return "failed%s, %s".formatted(often, words(failed.getFirst().problems().getFirst()));
      }
      return skipped() ? "skipped, " + Printable.line(results.getFirst().text()) : "passed";
    }

    private static String words(Results.Problem problem) {
      return Printable.line(problem.words() + ": " + problem.text());
    }

    List<Results.Result> passed() {
      return results.stream().filter(r -> r.outcome() == Results.Outcome.PASSED).toList();
    }
  }

  /** Compares two runs. */
  public static Comparison of(Results older, Results newer) {
    Map<Key, Rounds> before = rounds(older);
    Map<Key, Rounds> after = rounds(newer);
    SequencedSet<Key> keys = new LinkedHashSet<>(after.keySet());
    keys.addAll(before.keySet());
    List<Change> changes = new ArrayList<>();
    List<Shift> shifts = new ArrayList<>();
    for (Key key : keys) {
      Optional<Rounds> was = Optional.ofNullable(before.get(key));
      Optional<Rounds> is = Optional.ofNullable(after.get(key));
      kind(was, is)
          .ifPresent(kind ->
              changes.add(
                  new Change(
                      kind,
                      key.scenario,
                      key.setting,
                      was.map(Rounds::words).orElse(""),
                      is.map(Rounds::words).orElse(""))));
      if (was.isPresent() && is.isPresent()) {
        shifts.addAll(shifts(key, was.get().passed(), is.get().passed()));
      }
    }
    changes.sort(java.util.Comparator.comparing(Change::kind));
    return new Comparison(name(older), name(newer), changes, shifts);
  }

  private static Optional<Kind> kind(Optional<Rounds> was, Optional<Rounds> is) {
    boolean failed = was.isPresent() && was.get().fails();
    boolean fails = is.isPresent() && is.get().fails();
    if (fails) {
      return failed ? Optional.empty() : Optional.of(Kind.BEGAN_TO_FAIL);
    }
    if (was.isEmpty() || is.isEmpty()) {
      return Optional.of(was.isEmpty() ? Kind.APPEARED : Kind.DISAPPEARED);
    }
    if (is.get().skipped() || was.get().skipped()) {
      return was.get().words().equals(is.get().words())
          ? Optional.empty()
          : Optional.of(Kind.SKIP_CHANGED);
    }
    return failed ? Optional.of(Kind.BEGAN_TO_PASS) : Optional.empty();
  }

  private static SequencedMap<Key, Rounds> rounds(Results run) {
    // The only kernel of a run may be called otherwise in the other.
    boolean oneKernel =
        run.settings().stream().map(Results.Setting::kernel).distinct().count() == 1;
    Map<String, String> names = new LinkedHashMap<>();
    SequencedMap<Key, Rounds> rounds = new LinkedHashMap<>();
    for (Results.Setting setting : run.settings()) {
      String suffix = "." + setting.kernel();
      String name =
          oneKernel && !setting.kernel().isEmpty() && setting.name().endsWith(suffix)
              ? setting.name().substring(0, setting.name().length() - suffix.length())
              : setting.name();
      names.put(setting.name(), name);
      if (!setting.problems().isEmpty()) {
        rounds.put(new Key(GUESTS, name), new Rounds(List.of(), setting.problems()));
      } else if (setting.ended()) {
        rounds.put(new Key(GUESTS, name), new Rounds(List.of(), List.of()));
      }
    }
    for (Results.Result result : run.results()) {
      Key key = new Key(result.scenario(), names.getOrDefault(result.setting(), result.setting()));
      rounds
          .computeIfAbsent(key, _ -> new Rounds(new ArrayList<>(), List.of()))
          .results
          .add(result);
    }
    return rounds;
  }

  private static List<Shift> shifts(
      Key key, List<Results.Result> before, List<Results.Result> after) {
    List<Shift> shifts = new ArrayList<>();
    Map<List<String>, double[]> was = medians(before);
    Map<List<String>, double[]> is = medians(after);
    was.forEach((name, old) -> {
      double[] now = is.get(name);
      if (now != null && differ(old[0], now[0])) {
        shifts.add(
            new Shift(key.scenario, key.setting, name.getFirst(), name.getLast(), old[0], now[0]));
      }
    });
    if (!before.isEmpty() && !after.isEmpty()) {
      double old = median(before.stream().mapToDouble(Results.Result::seconds).toArray());
      double now = median(after.stream().mapToDouble(Results.Result::seconds).toArray());
      if (differ(old, now) && Math.abs(old - now) > NOTICED_SECONDS) {
        shifts.add(new Shift(key.scenario, key.setting, TIME, SECONDS, old, now));
      }
    }
    return shifts;
  }

  private static boolean differ(double old, double now) {
    return Math.max(old, now) > NOTEWORTHY * Math.min(old, now);
  }

  /** By name and unit. */
  private static Map<List<String>, double[]> medians(List<Results.Result> results) {
    return results.stream()
        .flatMap(r -> r.measures().stream())
        .collect(
            Collectors.groupingBy(
                m -> List.of(m.name(), m.unit()),
                LinkedHashMap::new,
                Collectors.collectingAndThen(
                    Collectors.toList(),
                    all ->
                        new double[] {
                          median(all.stream().mapToDouble(Results.Measure::value).toArray())
                        })));
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    int middle = values.length / 2;
    return values.length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  }

  /** What distinguishes a run for people. */
  static String name(Results run) {
    String kernels =
        run.kernels().stream()
            .map(Results.Kernel::release)
            .filter(r -> !r.isEmpty())
            .distinct()
            .map(r -> ", Linux " + r)
            .collect(Collectors.joining());
    return "%s, seed %d%s".formatted(run.run().began(), run.run().seed(), kernels);
  }

  /** Whether nothing began to fail. */
  public boolean held() {
    return changes.stream().noneMatch(change -> change.kind == Kind.BEGAN_TO_FAIL);
  }

  /** The comparison in lines for people, those that matter most first. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    lines.add("older: " + older);
    lines.add("newer: " + newer);
    Map<Kind, List<Change>> byKind =
        changes.stream()
            .collect(Collectors.groupingBy(Change::kind, TreeMap::new, Collectors.toList()));
    byKind.forEach((kind, some) -> {
      lines.add("%s: %d".formatted(kind.words(), some.size()));
      // Of two runs of unlike choices there are many that only one of them tried.
      boolean isNews = kind != Kind.APPEARED && kind != Kind.DISAPPEARED;
      long shown = isNews ? some.size() : MOST_OF_ONE_RUN;
      some.stream().limit(shown).forEach(change -> lines.add(line(change)));
      if (some.size() > shown) {
        lines.add(
            "  and %d more, which the page (--report=OUT) has".formatted(some.size() - shown));
      }
    });
    if (!shifts.isEmpty()) {
      lines.add("changed by more than %.0f times: %d".formatted(NOTEWORTHY, shifts.size()));
      shifts.forEach(shift -> lines.add(line(shift)));
    }
    if (changes.isEmpty() && shifts.isEmpty()) {
      lines.add("nothing changed");
    }
    return lines;
  }

  private static String line(Change change) {
    String what =
        switch (change.kind) {
          case APPEARED -> change.after;
          case DISAPPEARED -> change.before;
          case BEGAN_TO_PASS -> "it had " + change.before;
          case BEGAN_TO_FAIL ->
              change.before.isEmpty() || change.before.equals("passed")
                  ? change.after
                  : "%s; before: %s".formatted(change.after, change.before);
          case SKIP_CHANGED -> "%s; before: %s".formatted(change.after, change.before);
        };
    return "  %s in %s: %s".formatted(change.scenario, change.setting, what);
  }

  private static String line(Shift shift) {
    return "  %s in %s: %s %s, before %s"
        .formatted(
            shift.scenario,
            shift.setting,
            shift.name,
            number(shift.after, shift.unit),
            number(shift.before, shift.unit));
  }

  private static String number(double value, String unit) {
    boolean whole = value == Math.rint(value) && Math.abs(value) < 1e15;
    String number = whole ? Long.toString((long) value) : String.format(Locale.ROOT, "%.3g", value);
    return Objects.requireNonNull(unit).isEmpty() ? number : number + " " + unit;
  }
}
