package dev.peerbar.bench;

import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.report.JsonFile;
import dev.peerbar.bench.report.Page;
import dev.peerbar.bench.report.Report;
import dev.peerbar.bench.report.Section;
import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.cli.Subcommand;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peerbar bench}. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description =
        "Measure what it costs, beside a floor in the same run. The exit status is 0 if all was"
            + " measured, whether aims are met or not.")
public final class BenchCommand implements Subcommand {
  private CommandSpec spec;

  @Parameters(arity = "0..*", paramLabel = "NAME", description = "Which benchmarks; all if none.")
  private List<String> names = List.of();

  @Option(names = "--quick", description = "Only see that they work: the figures mean nothing.")
  private boolean quick;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Write everything that was measured, and where, to a file.")
  private Path json;

  @Option(
      names = "--report",
      paramLabel = "DIR",
      description = "Write a page with tables and drawings: DIR/index.html.")
  private Path folder;

  /** Has the help list the benchmarks, which are looked for only then. */
  @Spec
  void describe(CommandSpec command) {
    spec = command;
    command
        .usageMessage()
        .sectionMap()
        .put(
            UsageMessageSpec.SECTION_KEY_FOOTER,
            _ ->
                benchmarks().stream()
                    .map(benchmark -> "  %-12s %s%n".formatted(benchmark.name(), benchmark.about()))
                    .collect(Collectors.joining("", "%nBenchmarks:%n".formatted(), "")));
  }

  private static List<Comparison> benchmarks() {
    return ServiceLoader.load(Comparison.class).stream().map(ServiceLoader.Provider::get).toList();
  }

  @Override
  public Integer call() {
    List<Comparison> chosen = chosen();
    // Before minutes are spent.
    Optional<Page> page = prepare("report", folder, Page::prepare);
    Optional<JsonFile> file = prepare("file", json, JsonFile::prepare);
    Report report =
        new BenchRun(
                quick ? Effort.QUICK : Effort.FULL,
                spec.commandLine().getOut(),
                spec.commandLine().getErr())
            .measure(chosen);
    page.ifPresent(target -> write("report", folder, () -> target.write(report)));
    file.ifPresent(target -> write("file", json, () -> target.write(report)));
    List<String> failed =
        report.sections().stream()
            .filter(section -> section.failure().isPresent())
            .map(Section::name)
            .toList();
    if (!failed.isEmpty()) {
      throw new CommandFailedException("not all was measured: " + String.join(", ", failed));
    }
    return 0;
  }

  private List<Comparison> chosen() {
    List<Comparison> all = benchmarks();
    List<String> known = all.stream().map(Comparison::name).toList();
    for (String name : names) {
      if (!known.contains(name)) {
        throw new ParameterException(
            spec.commandLine(),
            "There is no benchmark '%s'; there are %s".formatted(name, String.join(", ", known)));
      }
    }
    return all.stream()
        .filter(benchmark -> names.isEmpty() || names.contains(benchmark.name()))
        .toList();
  }

  /** Something that a path makes. */
  private interface Preparation<T> {
    T of(Path path) throws IOException;
  }

  private <T> Optional<T> prepare(String what, Path path, Preparation<T> preparation) {
    if (path == null) {
      return Optional.empty();
    }
    if (path.toString().isEmpty()) {
      throw new ParameterException(spec.commandLine(), "The %s has no name".formatted(what));
    }
    try {
      return Optional.of(preparation.of(path));
    } catch (IOException e) {
      throw unwritable(what, path, e);
    }
  }

  /** Something that writes. */
  private interface Writing {
    void run() throws IOException;
  }

  private static void write(String what, Path path, Writing writing) {
    try {
      writing.run();
    } catch (IOException e) {
      throw unwritable(what, path, e);
    }
  }

  private static CommandFailedException unwritable(String what, Path path, IOException e) {
    // Without the path again.
    String reason =
        switch (e) {
          case NoSuchFileException _ -> "there is no such folder";
          case AccessDeniedException _ -> "permission denied";
          case FileAlreadyExistsException _ -> "it is no folder";
          case FileSystemException failure when failure.getReason() != null -> failure.getReason();
          default -> e.getMessage();
        };
    return new CommandFailedException(
        "the %s %s cannot be written: %s".formatted(what, path, reason), e);
  }
}
