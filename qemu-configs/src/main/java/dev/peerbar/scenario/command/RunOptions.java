package dev.peerbar.scenario.command;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.scenario.Place;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.Runner;
import dev.peerbar.scenario.report.KtapReport;
import dev.peerbar.scenario.report.ProgressLine;
import dev.peerbar.scenario.report.Repeat;
import dev.peerbar.scenario.report.ReportDirectory;
import dev.peerbar.scenario.report.Reports;
import dev.peerbar.scenario.report.Tally;
import dev.peerbar.scenario.report.TextReport;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options of every command that tries scenarios: in which guests, and who is told of it. */
final class RunOptions {
  private static final String LOGS = "logs";
  private static final int MOST_SECONDS = 86_400;

  /** What standard output is to have. */
  enum Format {
    TEXT,
    KTAP;

    /** What suits who reads it: a person at a terminal, or a program. */
    static Format ofOutput() {
      return Terminal.isStandardOutput() ? TEXT : KTAP;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--topology",
      paramLabel = "NAME",
      split = ",",
      description =
          "One or more of one-switch (the default), two-root-ports, nested-switches,"
              + " two-host-bridges, acs-switch.")
  private List<String> topologies = List.of(Topology.NAMES.getFirst());

  @Option(
      names = "--viommu",
      paramLabel = "NAME",
      split = ",",
      description =
          "The IOMMU that guests see, one or more of intel-iommu, amd-iommu, virtio-iommu, none;"
              + " without it what suits the scenarios.")
  private List<String> viommus = new ArrayList<>();

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      description = "How long a scenario may take, ${DEFAULT-VALUE} s without it.")
  private int timeout;

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      description =
          "What to print: text for people, or ktap as Linux' own tests; here ${DEFAULT-VALUE} without"
              + " it.")
  private Format format;

  @Option(
      names = "--report",
      paramLabel = "DIR",
      description =
          "Write index.html there (a page to look at), results.json and junit.xml, and keep the logs"
              + " of QEMU and the guests below. Without it they are kept, in a temporary directory,"
              + " only if something fails.")
  private Path report;

  private final int usualTimeout;

  /**
   * @param timeout of a scenario, in seconds, unless another is asked for
   * @param format unless another is asked for
   */
  RunOptions(int timeout, Format format) {
    this.format = format;
    usualTimeout = timeout;
    this.timeout = timeout;
  }

  /**
   * Looks at what was asked for.
   *
   * @throws ParameterException if it cannot be right
   */
  void check() {
    for (String topology : topologies) {
      unless(
          Topology.NAMES.contains(topology),
          "There is no topology %s; there are %s",
          topology,
          String.join(", ", Topology.NAMES));
    }
    viommus();
    unless(
        timeout > 0 && timeout <= MOST_SECONDS,
        "--timeout takes 1 to %d seconds, not %d",
        MOST_SECONDS,
        timeout);
  }

  private void unless(boolean right, String format, Object... arguments) {
    if (!right) {
      throw wrong(format.formatted(arguments));
    }
  }

  private ParameterException wrong(String sentence) {
    return new ParameterException(command.commandLine(), sentence);
  }

  /** Where scenarios are tried. */
  List<Place> places() {
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

  /** Whether the user said which vIOMMUs guests see. */
  boolean choosesViommus() {
    return !viommus.isEmpty();
  }

  /** Makes the directory of the report, if there is to be one: before minutes pass. */
  void makeReportDirectory() {
    if (report == null) {
      return;
    }
    report = report.toAbsolutePath().normalize();
    try {
      Files.createDirectories(report);
    } catch (IOException e) {
      throw wrong("The directory %s cannot be made: %s".formatted(report, e));
    }
  }

  /**
   * Tries all of a plan, and tells of it.
   *
   * @param files what guests are made of, by the kernels of the plan
   * @return the program's exit status
   */
  int run(Plan plan, Map<String, LabFiles> files, long seed, RunListener own, Repeat repeat)
      throws IOException {
    Path logs = report != null ? report.resolve(LOGS) : Files.createTempDirectory("peerbar-logs-");
    Tally tally = new Tally();
    try (Reports reports = new Reports(reports(logs, tally, own, repeat))) {
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

  private List<RunListener> reports(Path logs, Tally tally, RunListener own, Repeat repeat) {
    PrintWriter out = command.commandLine().getOut();
    RunListener printed =
        switch (format) {
          case TEXT -> new TextReport(out, repeat);
          case KTAP -> new KtapReport(out, repeat);
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
                report, repeat, command.commandLine().getParseResult().originalArgs())
            : new KeptLogs(logs, tally, command.commandLine().getErr()));
    return reports;
  }

  /** The options of this run that a trial of one scenario needs too, as words. */
  List<String> words(LabFilesOptions files) {
    List<String> options = new ArrayList<>(files.words());
    if (timeout != usualTimeout) {
      options.add("--timeout=" + timeout);
    }
    return options;
  }
}
