package dev.peerbar.scenario.command;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.cli.Subcommand;
import dev.peerbar.scenario.report.Comparison;
import dev.peerbar.scenario.report.Merge;
import dev.peerbar.scenario.report.NoReportException;
import dev.peerbar.scenario.report.ReportDirectory;
import dev.peerbar.scenario.report.Results;
import dev.peerbar.scenario.report.ResultsFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peerbar report}: reports of {@code peerbar scenarios}, merged and compared. */
@Command(
    name = "report",
    mixinStandardHelpOptions = true,
    description = {
      "Merges reports of the same run (those with one seed, the same kernels and no result in"
          + " common, such as shards), and compares two runs, the older with the newer.",
      "Prints what began to fail, what began to pass, and which of the times and counts that"
          + " scenarios record changed by more than three times."
    },
    footer = {
      "",
      "Exit status: 0 if nothing began to fail, or of one run nothing failed; 1 if something did;"
          + " 2 for a wrong command line, or what is no report."
    })
public final class ReportCommand implements Subcommand {
  private static final int MOST_RUNS = 2;

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "1..*",
      paramLabel = "DIR",
      description = "Where 'scenarios --report=DIR' has written.")
  private List<Path> directories = new ArrayList<>();

  @Option(
      names = "--against",
      paramLabel = "DIR",
      split = ",",
      description =
          "These are the older run, and all others the newer, whatever their seeds and dates.")
  private List<Path> against = new ArrayList<>();

  @Option(
      names = "--report",
      paramLabel = "OUT",
      description =
          "Write results.json, index.html and junit.xml of the newer run there; the page shows the"
              + " comparison too.")
  private Path out;

  @Override
  public Integer call() throws IOException {
    PrintWriter print = spec.commandLine().getOut();
    Path target = out == null ? Path.of("") : out;
    try {
      List<List<Merge.Source>> runs = runs();
      Results newer = Merge.of(runs.getLast(), target);
      Optional<Comparison> comparison =
          runs.size() == 1
              ? Optional.empty()
              : Optional.of(Comparison.of(Merge.of(runs.getFirst(), target), newer));
      runs.forEach(run -> print.println(about(run)));
      comparison.ifPresent(compared -> compared.lines().forEach(print::println));
      print.println(totals(newer));
      print.flush();
      write(newer, comparison);
      return comparison.map(Comparison::held).orElseGet(() -> held(newer)) ? 0 : 1;
    } catch (NoReportException e) {
      // How the command is used would hide the sentence.
      spec.commandLine().getErr().println("peerbar: " + e.getMessage());
      return CommandLine.ExitCode.USAGE;
    }
  }

  /** One run, or two of which the older is the first. */
  private List<List<Merge.Source>> runs() throws NoReportException {
    if (!against.isEmpty()) {
      return List.of(read(against), read(directories));
    }
    List<List<Merge.Source>> runs = Merge.runs(read(directories));
    if (runs.size() > MOST_RUNS) {
      throw new NoReportException(
          "These are %d runs, and two can be compared: %s. --against says which are the older."
              .formatted(
                  runs.size(), runs.stream().map(this::names).collect(Collectors.joining("; "))));
    }
    return runs;
  }

  private static List<Merge.Source> read(List<Path> directories) throws NoReportException {
    List<Merge.Source> sources = new ArrayList<>();
    for (Path directory : directories) {
      sources.add(new Merge.Source(directory, ResultsFile.read(directory)));
    }
    return sources;
  }

  private String names(List<Merge.Source> run) {
    return run.stream().map(s -> s.directory().toString()).collect(Collectors.joining(", "));
  }

  private String about(List<Merge.Source> run) {
    int done = run.stream().mapToInt(s -> s.results().results().size()).sum();
    int planned = run.stream().mapToInt(s -> s.results().run().planned()).sum();
    return "%s: %s%s"
        .formatted(
            names(run),
            run.size() == 1 ? "a run" : "%d parts of a run".formatted(run.size()),
            done == planned ? "" : " that ended early, %d of %d tried".formatted(done, planned));
  }

  private static String totals(Results results) {
    return "%d passed, %d failed, %d skipped"
        .formatted(
            count(results, Results.Outcome.PASSED),
            count(results, Results.Outcome.FAILED),
            count(results, Results.Outcome.SKIPPED));
  }

  private static long count(Results results, Results.Outcome outcome) {
    return results.results().stream().filter(r -> r.outcome() == outcome).count();
  }

  private static boolean held(Results results) {
    return count(results, Results.Outcome.FAILED) == 0
        && results.settings().stream().allMatch(s -> s.problems().isEmpty());
  }

  private void write(Results results, Optional<Comparison> comparison) {
    if (out == null) {
      return;
    }
    try {
      Files.createDirectories(out);
      ReportDirectory.write(out, results, comparison);
    } catch (IOException e) {
      throw new CommandFailedException("The report %s cannot be written: %s".formatted(out, e), e);
    }
  }
}
