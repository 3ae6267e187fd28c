package dev.peerbar.scenario.report;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.Subtests;
import dev.peerbar.scenario.Timeline;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;

/** What happened in a run, as {@link Results} has it: bounded, and fit to be shown. */
final class Recorded {
  private Recorded() {}

  static Results.Setting setting(
      Setting setting,
      String began,
      boolean ended,
      List<Results.Boot> boots,
      List<Problem> problems,
      List<Results.Device> machine) {
    return new Results.Setting(
        setting.name(),
        setting.fixture(),
        setting.topology(),
        setting.viommu().label(),
        setting.cpu().label(),
        setting.variant(),
        setting.kernelArguments(),
        setting.cpus(),
        setting.kernel(),
        began,
        ended,
        boots,
        problems.stream().map(Recorded::problem).toList(),
        machine);
  }

  static Results.Boot boot(BootResult boot, Path directory) {
    return new Results.Boot(
        boot.number(),
        seconds(boot.took()),
        KernelRelease.in(boot.logs()).orElse(""),
        boot.failure().map(Recorded::text).orElse(""),
        boot.complaints().stream().map(Lab.Complaint::toString).map(Recorded::text).toList(),
        relative(boot.logs(), directory));
  }

  static Results.Kernel kernel(BootResult boot) {
    return new Results.Kernel(
        boot.setting().kernel(),
        KernelRelease.in(boot.logs()).orElse(""),
        boot.kernel()
            .filter(KernelOptions::known)
            .map(options -> options.missing(EnumSet.allOf(KernelNeed.class)))
            .orElse(List.of()));
  }

  static Results.Result result(ScenarioResult result, Path directory, String repeat) {
    return new Results.Result(
        result.setting().name(),
        result.scenario().name(),
        result.scenario().does(),
        result.scenario().expects(),
        result.round(),
        result.seed(),
        outcome(result.outcome()),
        words(result.outcome()),
        result.outcome() instanceof Outcome.Failed failed
            ? failed.problems().stream().map(Recorded::problem).toList()
            : List.of(),
        evidence(result.outcome()),
        result.outcome() instanceof Outcome.Failed failed
            ? relative(failed.evidence().logs(), directory)
            : "",
        seconds(result.took()),
        result.measures().stream()
            .map(m -> new Results.Measure(m.name(), m.value(), m.unit()))
            .toList(),
        result.routes().stream()
            .map(r -> new Results.Route(r.from(), r.to(), r.path(), r.allowed()))
            .toList(),
        result.subtests().points().stream().map(Recorded::subtest).toList(),
        timeline(result.timeline()),
        repeat);
  }

  private static Results.Subtest subtest(Subtests.Point point) {
    return new Results.Subtest(
        Printable.line(point.name()),
        switch (point.outcome()) {
          case PASSED -> Results.Outcome.PASSED;
          case FAILED -> Results.Outcome.FAILED;
          case SKIPPED -> Results.Outcome.SKIPPED;
        },
        text(point.text()));
  }

  private static Results.Outcome outcome(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Passed _ -> Results.Outcome.PASSED;
      case Outcome.Failed _ -> Results.Outcome.FAILED;
      case Outcome.Skipped _ -> Results.Outcome.SKIPPED;
    };
  }

  private static String words(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Passed(String saw) -> text(saw);
      case Outcome.Skipped(String reason) -> text(reason);
      case Outcome.Failed _ -> "";
    };
  }

  private static Results.Evidence evidence(Outcome outcome) {
    return outcome instanceof Outcome.Failed failed
        ? new Results.Evidence(
            lines(failed.evidence().calls()),
            lines(failed.evidence().hung()),
            lines(failed.evidence().messages()))
        : null;
  }

  /** The last of many; what is before them is counted. */
  private static List<String> lines(List<String> lines) {
    int earlier = Math.max(0, lines.size() - Printable.MOST_LINES);
    List<String> last = new ArrayList<>();
    if (earlier > 0) {
      last.add("(%d earlier)".formatted(earlier));
    }
    last.addAll(Printable.lines(String.join("\n", lines.subList(earlier, lines.size()))));
    return last;
  }

  static Results.Problem problem(Problem problem) {
    return new Results.Problem(problem.kind().name(), problem.kind().words(), text(problem.text()));
  }

  private static Results.Timeline timeline(Timeline timeline) {
    return new Results.Timeline(
        timeline.events().stream().map(Recorded::event).toList(), timeline.dropped());
  }

  private static Results.Event event(Timeline.Event event) {
    return new Results.Event(
        event.lane(),
        event.kind().name().toLowerCase(Locale.ROOT),
        millis(event.at()),
        millis(event.took()),
        event.times() == 1 ? 0 : event.times(),
        event.failed(),
        Printable.line(event.text()));
  }

  private static String text(String text) {
    return String.join("\n", Printable.lines(text));
  }

  /** To a microsecond. */
  private static double millis(Duration time) {
    return Math.round(time.toNanos() / 1e3) / 1e3;
  }

  /** To a microsecond. */
  static double seconds(Duration time) {
    return Math.round(time.toNanos() / 1e3) / 1e6;
  }

  static String relative(Path logs, Path directory) {
    return (logs.startsWith(directory) ? directory.relativize(logs) : logs).toString();
  }
}
