package dev.peerbar.scenario.command;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.cli.Subcommand;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.scenario.Place;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.Runner;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Shard;
import dev.peerbar.scenario.report.KtapReport;
import dev.peerbar.scenario.report.ProgressLine;
import dev.peerbar.scenario.report.Repeat;
import dev.peerbar.scenario.report.ReportDirectory;
import dev.peerbar.scenario.report.Reports;
import dev.peerbar.scenario.report.Tally;
import dev.peerbar.scenario.report.TextReport;
import dev.peerbar.scenario.suite.Suite;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code peerbar scenarios}: cases that stand alone, each judged by itself. */
@Command(
    name = "scenarios",
    mixinStandardHelpOptions = true,
    description = {
      "Tries scenarios in booted guests, and judges each by itself.",
      "Standard output has the results, and nothing else."
    },
    footer = {
      "",
      "Exit status, as git bisect run takes it: 0 if nothing failed, 1 if something did, 125 if the"
          + " kernel does not build or no guest boots with it, 128 if nothing could be tried for"
          + " another reason (QEMU, the network), 2 for a wrong command line."
    },
    exitCodeOnExecutionException = ExitStatus.NOT_TRIED)
public final class ScenariosCommand implements Subcommand {
  private static final String LOGS = "logs";
  private static final int DEFAULT_TIMEOUT_SECONDS = 120;
  private static final int MOST_SECONDS = 86_400;
  private static final int MOST_ROUNDS = 10_000;

  /** Seeds that a person may have to type. */
  private static final int MOST_RANDOM_SEED = 1_000_000;

  /** What standard output is to have. */
  private enum Format {
    TEXT,
    KTAP
  }

  @Spec private CommandSpec spec;

  @Option(names = "--list", description = "Print names and what they do, and try nothing.")
  private boolean list;

  // A comma in braces is the pattern's own.
  @Option(
      names = "--only",
      paramLabel = "GLOB",
      split = ",(?![^{}]*\\})",
      splitSynopsisLabel = ",",
      description =
          "Only scenarios whose name matches, such as 'p2p.*' or '*.{map,unmap}'; several patterns"
              + " add up.")
  private List<String> only = new ArrayList<>();

  @Option(
      names = "--topology",
      paramLabel = "NAME",
      split = ",",
      defaultValue = "one-switch",
      description =
          "One or more of one-switch (the default), two-root-ports, nested-switches,"
              + " two-host-bridges, acs-switch.")
  private List<String> topologies = new ArrayList<>();

  @Option(
      names = "--viommu",
      paramLabel = "NAME",
      split = ",",
      description =
          "The IOMMU that guests see, one or more of intel-iommu, amd-iommu, virtio-iommu, none;"
              + " without it what suits the scenarios.")
  private List<String> viommus = new ArrayList<>();

  @Option(
      names = "--shard",
      paramLabel = "I/N",
      description = "Try only part I of N, which together are everything.")
  private String shard;

  @Option(
      names = "--repeat",
      paramLabel = "N",
      defaultValue = "1",
      description = "Try each N times in each setting, one round after the other.")
  private int rounds;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description =
          "Of random choices; without it one is chosen, and printed. Round 2 with seed N is round"
              + " 1 with seed N + 1.")
  private Long seed;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      defaultValue = "" + DEFAULT_TIMEOUT_SECONDS,
      description = "How long a scenario may take, ${DEFAULT-VALUE} s without it.")
  private int timeout;

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      description =
          "What to print: text for people (the default on a terminal), or ktap as Linux' own tests"
              + " (the default elsewhere).")
  private Format format;

  @Option(
      names = "--report",
      paramLabel = "DIR",
      description =
          "Write index.html there (a page to look at), results.json and junit.xml, and keep the logs"
              + " of QEMU and the guests below. Without it they are kept, in a temporary directory,"
              + " only if something fails.")
  private Path report;

  @Mixin private LabFilesOptions own;

  private final Registry registry;

  /** With all scenarios there are. */
  public ScenariosCommand() {
    this(Suite.ALL);
  }

  ScenariosCommand(Registry registry) {
    this.registry = registry;
  }

  @Override
  public Integer call() throws IOException {
    List<Scenario<?>> scenarios = scenarios();
    if (list) {
      print(scenarios);
      return 0;
    }
    own.check();
    Plan plan = plan(scenarios);
    unless(
        timeout > 0 && timeout <= MOST_SECONDS,
        "--timeout takes 1 to %d seconds, not %d",
        MOST_SECONDS,
        timeout);
    if (seed == null) {
      seed = (long) ThreadLocalRandom.current().nextInt(MOST_RANDOM_SEED);
    }
    if (report != null) {
      makeReportDirectory();
    }
    return run(plan, own.setUp());
  }

  private List<Scenario<?>> scenarios() {
    try {
      return registry.matching(only);
    } catch (IllegalArgumentException e) {
      throw wrong(e.getMessage());
    }
  }

  private Plan plan(List<Scenario<?>> scenarios) {
    for (String topology : topologies) {
      unless(
          Topology.NAMES.contains(topology),
          "There is no topology %s; there are %s",
          topology,
          String.join(", ", Topology.NAMES));
    }
    unless(
        rounds > 0 && rounds <= MOST_ROUNDS, "--repeat takes 1 to %d, not %d", MOST_ROUNDS, rounds);
    List<Place> places = places();
    Plan plan = Plan.of(scenarios, places, own.kernels(), rounds);
    unless(
        !plan.groups().isEmpty(),
        "None of these scenarios belongs on %s",
        places.stream().map(Place::toString).collect(Collectors.joining(" or ")));
    return shard().of(plan);
  }

  private List<Place> places() {
    List<Optional<Viommu>> kinds = viommus().stream().distinct().map(Optional::of).toList();
    List<Optional<Viommu>> asked = kinds.isEmpty() ? List.of(Optional.empty()) : kinds;
    return topologies.stream()
        .distinct()
        .flatMap(topology -> asked.stream().map(viommu -> new Place(topology, viommu)))
        .toList();
  }

  private List<Viommu> viommus() {
    List<Viommu> named = new ArrayList<>();
    for (String name : viommus) {
      named.add(
          Viommu.named(name)
              .orElseThrow(() ->
                  wrong("There is no vIOMMU %s; there are %s".formatted(name, Viommu.labels()))));
    }
    return named;
  }

  private Shard shard() {
    try {
      return shard == null ? Shard.WHOLE : Shard.parse(shard);
    } catch (IllegalArgumentException e) {
      throw wrong(e.getMessage());
    }
  }

  private void unless(boolean right, String format, Object... arguments) {
    if (!right) {
      throw wrong(format.formatted(arguments));
    }
  }

  private ParameterException wrong(String sentence) {
    return new ParameterException(spec.commandLine(), sentence);
  }

  private void print(List<Scenario<?>> scenarios) {
    PrintWriter out = spec.commandLine().getOut();
    out.print(
        Terminal.isStandardOutput()
            ? ScenarioList.wrapped(scenarios, Terminal.columns())
            : ScenarioList.lines(scenarios));
    out.flush();
  }

  private void makeReportDirectory() {
    report = report.toAbsolutePath().normalize();
    try {
      Files.createDirectories(report);
    } catch (IOException e) {
      throw wrong("The directory %s cannot be made: %s".formatted(report, e));
    }
  }

  private int run(Plan plan, Map<String, LabFiles> files) throws IOException {
    Path logs = report != null ? report.resolve(LOGS) : Files.createTempDirectory("peerbar-logs-");
    Tally tally = new Tally();
    try (Reports reports = new Reports(reports(logs, tally))) {
      new Runner(files, new Runner.Options(Duration.ofSeconds(timeout), seed, logs), reports)
          .run(plan);
    } catch (IOException | UncheckedIOException e) {
      throw new CommandFailedException(
          "%s; the logs are in %s".formatted(e.getMessage(), logs), e, ExitStatus.NOT_TRIED);
    }
    if (tally.guests() == 0) {
      return tally.qemuFailed() ? ExitStatus.NOT_TRIED : ExitStatus.NO_KERNEL;
    }
    return tally.held() ? ExitStatus.HELD : ExitStatus.FAILED;
  }

  private List<RunListener> reports(Path logs, Tally tally) {
    PrintWriter out = spec.commandLine().getOut();
    RunListener printed =
        switch (format()) {
          case TEXT -> new TextReport(out, repeat());
          case KTAP -> new KtapReport(out, repeat());
        };
    List<RunListener> reports = new ArrayList<>();
    reports.add(
        Terminal.isStandardError()
            ? new ProgressLine(printed, System.err, Terminal.columns())
            : printed);
    reports.add(own);
    reports.add(tally);
    reports.add(
        report != null
            ? new ReportDirectory(
                report, repeat(), spec.commandLine().getParseResult().originalArgs())
            : new KeptLogs(logs, tally, spec.commandLine().getErr()));
    return reports;
  }

  private Format format() {
    if (format != null) {
      return format;
    }
    return Terminal.isStandardOutput() ? Format.TEXT : Format.KTAP;
  }

  /** The options of this run that a trial of one scenario needs too. */
  private Repeat repeat() {
    List<String> options = new ArrayList<>(own.words());
    if (timeout != DEFAULT_TIMEOUT_SECONDS) {
      options.add("--timeout=" + timeout);
    }
    return new Repeat(options, !viommus.isEmpty());
  }
}
