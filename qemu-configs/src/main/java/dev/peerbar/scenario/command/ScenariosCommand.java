package dev.peerbar.scenario.command;

import dev.peerbar.cli.Subcommand;
import dev.peerbar.scenario.Place;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Shard;
import dev.peerbar.scenario.report.Repeat;
import dev.peerbar.scenario.suite.Suite;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
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
  private static final int TIMEOUT_SECONDS = 120;
  private static final int MOST_ROUNDS = 10_000;

  /** Seeds that a person may have to type. */
  private static final int MOST_RANDOM_SEED = 1_000_000;

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

  @Mixin private RunOptions run = new RunOptions(TIMEOUT_SECONDS, RunOptions.Format.ofOutput());

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
      ScenarioList.print(scenarios, spec.commandLine().getOut());
      return 0;
    }
    own.check();
    run.check();
    Plan plan = plan(scenarios);
    if (seed == null) {
      seed = (long) ThreadLocalRandom.current().nextInt(MOST_RANDOM_SEED);
    }
    run.makeReportDirectory();
    return run.run(
        plan, own.setUp(), seed, own, Repeat.byScenarios(run.words(own), run.choosesViommus()));
  }

  private List<Scenario<?>> scenarios() {
    try {
      return registry.matching(only);
    } catch (IllegalArgumentException e) {
      throw wrong(e.getMessage());
    }
  }

  private Plan plan(List<Scenario<?>> scenarios) {
    unless(
        rounds > 0 && rounds <= MOST_ROUNDS, "--repeat takes 1 to %d, not %d", MOST_ROUNDS, rounds);
    List<Place> places = run.places();
    Plan plan = Plan.of(scenarios, places, own.kernels(), rounds);
    unless(
        !plan.groups().isEmpty(),
        "None of these scenarios belongs on %s",
        places.stream().map(Place::toString).collect(Collectors.joining(" or ")));
    return shard().of(plan);
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
}
