package dev.peerbar.scenario.report;

import dev.peerbar.scenario.report.Results.Bar;
import dev.peerbar.scenario.report.Results.Boot;
import dev.peerbar.scenario.report.Results.Device;
import dev.peerbar.scenario.report.Results.Event;
import dev.peerbar.scenario.report.Results.Evidence;
import dev.peerbar.scenario.report.Results.Host;
import dev.peerbar.scenario.report.Results.Kernel;
import dev.peerbar.scenario.report.Results.Measure;
import dev.peerbar.scenario.report.Results.Outcome;
import dev.peerbar.scenario.report.Results.Problem;
import dev.peerbar.scenario.report.Results.Result;
import dev.peerbar.scenario.report.Results.Route;
import dev.peerbar.scenario.report.Results.RunFacts;
import dev.peerbar.scenario.report.Results.Setting;
import dev.peerbar.scenario.report.Results.Subtest;
import dev.peerbar.scenario.report.Results.Timeline;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Results of a run that never was. */
final class MadeUpResults {
  /** Text that would be more than text, if a page took it for markup. */
  static final String HOSTILE =
      "</script><img src=x onerror=\"document.title='owned'\"><!--<script>alert(1)//\u2028'\"`${1}";

  private static final List<String> FAMILIES =
      List.of("life", "bar", "dmabuf.export", "iommufd", "type1", "p2p", "flr", "fault", "zone");

  private static final List<String> TOPOLOGIES = List.of("one-switch", "two-root-ports", "nested");
  private static final List<String> KERNELS = List.of("mine", "base");

  private MadeUpResults() {}

  static Setting setting(String topology, String kernel, Problem... problems) {
    String name = "hbm-pair.%s.intel-iommu.amd-cpu".formatted(topology);
    return new Setting(
        kernel.isEmpty() ? name : name + "." + kernel,
        "hbm-pair",
        topology,
        "intel-iommu",
        "amd",
        "",
        "",
        2,
        kernel,
        "2026-01-02T03:04:05Z",
        true,
        List.of(new Boot(1, 2.5, "7.3.4", "", List.of(), "logs/guest-1")),
        List.of(problems),
        List.of(
            new Device("port-a", "pcie-root-port", "pcie.0", "1", "", List.of()),
            new Device("port-b", "pcie-root-port", "pcie.0", "2", "", List.of()),
            new Device(
                "a",
                "vfio-user-pci",
                "port-a",
                "",
                "hbm-a",
                List.of(new Bar(0, 65536, false), new Bar(2, 1 << 27, true))),
            new Device(
                "b", "vfio-user-pci", "port-b", "", "hbm-b", List.of(new Bar(2, 1 << 27, true)))));
  }

  static Result passed(Setting setting, String scenario, int round, double seconds, Measure... m) {
    return result(setting, scenario, round, Outcome.PASSED, "as it should be", seconds, m);
  }

  static Result skipped(Setting setting, String scenario, String reason) {
    return result(setting, scenario, 1, Outcome.SKIPPED, reason, 0);
  }

  static Result failed(Setting setting, String scenario, int round, String saw) {
    Result result = result(setting, scenario, round, Outcome.SKIPPED, "", 1.5);
    return new Result(
        result.setting(),
        scenario,
        result.does(),
        result.expects(),
        round,
        7,
        Outcome.FAILED,
        "",
        List.of(
            new Problem("UNEXPECTED", "saw", saw),
            new Problem("LEFT_BEHIND", "left behind", "open in the guest: fd 9")),
        new Evidence(List.of("a call"), List.of(), List.of("a message", saw)),
        "logs/guest-1",
        1.5,
        List.of(),
        List.of(new Route("b", "a", "IOAS mapping of a DMABUF", false)),
        List.of(
            new Subtest("made.up.first", Outcome.PASSED, ""),
            new Subtest("made.up.second", Outcome.FAILED, "expected <b>4\nseen 5")),
        timeline(40, saw),
        result.repeat());
  }

  private static Result result(
      Setting setting,
      String scenario,
      int round,
      Outcome outcome,
      String text,
      double seconds,
      Measure... measures) {
    return new Result(
        setting.name(),
        scenario,
        "do what " + scenario + " is about",
        "what it should be is seen",
        round,
        7,
        outcome,
        text,
        List.of(),
        null,
        "",
        seconds,
        List.of(measures),
        outcome == Outcome.PASSED
            ? List.of(new Route("a", "b", "IOAS mapping of a DMABUF", true))
            : List.of(),
        List.of(),
        outcome == Outcome.PASSED ? timeline(12, "done") : null,
        "./peerbar scenarios --only=%s --topology=%s".formatted(scenario, setting.topology()));
  }

  private static Timeline timeline(int length, String last) {
    List<Event> events = new ArrayList<>();
    for (int i = 0; i < length; i++) {
      String text = i == length - 1 ? last : "event " + i;
      switch (i % 4) {
        case 0 -> events.add(new Event("guest", "call", i, 0.8, i, i == 8, "ioctl: " + text));
        case 1 -> events.add(new Event("hbm-a", "message", i, 0.1, 0, false, text));
        case 2 -> events.add(new Event("hbm-b", "transfer", i, 3.5, 0, false, text));
        default -> events.add(new Event("hbm-a", "reset", i, 0.1, 0, false, text));
      }
    }
    return new Timeline(events, 5000);
  }

  static Results run(long seed, String began, List<Setting> settings, List<Result> results) {
    return run(seed, began, results.size(), settings, results);
  }

  /** One that may not have all of its results. */
  static Results run(
      long seed, String began, int planned, List<Setting> settings, List<Result> results) {
    return new Results(
        Results.FORMAT,
        new RunFacts(
            "0.1 " + HOSTILE,
            List.of("scenarios", "--seed=" + seed),
            seed,
            1,
            planned,
            began,
            61.5,
            new Host("here", 2, "Linux 6", "a JVM")),
        settings.stream()
            .map(Setting::kernel)
            .distinct()
            .map(label -> new Kernel(label, "7.3.4", List.of()))
            .toList(),
        settings,
        results);
  }

  /** So many scenarios in six settings: each seventh fails, each fifth is skipped. */
  static Results big(int scenarios) {
    List<Setting> settings = new ArrayList<>();
    for (String kernel : KERNELS) {
      for (String topology : TOPOLOGIES) {
        settings.add(
            settings.isEmpty()
                ? setting(topology, kernel, new Problem("COMPLAINT", "complaint", HOSTILE))
                : setting(topology, kernel));
      }
    }
    List<Result> results = new ArrayList<>();
    for (Setting setting : settings) {
      for (int i = 0; i < scenarios; i++) {
        String name = "%s.case-%03d".formatted(FAMILIES.get(i * FAMILIES.size() / scenarios), i);
        if (i % 7 == 3 && !setting.kernel().equals("base")) {
          results.add(failed(setting, name, 1, "EINVAL instead of 0 " + HOSTILE));
        } else if (i % 5 == 4) {
          results.add(skipped(setting, name, "the kernel lacks CONFIG_" + i % 3 + " " + HOSTILE));
        } else {
          results.add(passed(setting, name, 1, 0.1 + i / 40.0, new Measure("resets", i, "")));
        }
      }
    }
    return run(7, "2026-01-02T03:04:05Z", settings, results);
  }

  /** What is counted of a run's results, by outcome. */
  static Map<Outcome, Long> counts(Results run) {
    return run.results().stream()
        .collect(
            java.util.stream.Collectors.groupingBy(
                Result::outcome, java.util.stream.Collectors.counting()));
  }
}
