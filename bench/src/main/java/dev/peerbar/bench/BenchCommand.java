package dev.peerbar.bench;

import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Benchmark;
import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.cli.Subcommand;
import java.util.List;
import java.util.ServiceLoader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code peerbar bench}. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description = "Measures what it costs, beside a floor in the same run.")
public final class BenchCommand implements Subcommand {
  @Parameters(arity = "0..*", paramLabel = "NAME", description = "Which benchmarks; all if none.")
  private List<String> names = List.of();

  @Option(names = "--quick", description = "Only to see that they work.")
  private boolean quick;

  @Override
  public Integer call() throws Exception {
    Bench bench = new Bench(quick ? Effort.QUICK : Effort.FULL, BenchCommand::print);
    for (Benchmark benchmark : ServiceLoader.load(Benchmark.class)) {
      if (names.isEmpty() || names.contains(benchmark.name())) {
        benchmark.run(bench);
      }
    }
    return 0;
  }

  private static void print(Figure figure) {
    System.out.printf(
        "%-40s %-6s %12.3f %12.3f %-6s %6.3f (%.3f to %.3f) %s%n",
        figure.path(),
        figure.figure(),
        figure.floor(),
        figure.value(),
        figure.unit(),
        figure.ratio().median(),
        figure.ratio().low(),
        figure.ratio().high(),
        figure.aim().map(aim -> aim + (figure.met() ? " met" : " MISSED")).orElse(""));
  }
}
