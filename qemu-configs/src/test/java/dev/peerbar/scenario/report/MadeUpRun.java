package dev.peerbar.scenario.report;

import dev.peerbar.lab.boot.Lab.Complaint;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.CpuModel;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.Environment;
import dev.peerbar.scenario.Evidence;
import dev.peerbar.scenario.Fixture;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Measure;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Place;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.Subtests;
import dev.peerbar.scenario.Timeline;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.UnaryOperator;

/** Tells listeners of a run that never was: what comes of each scenario is made up. */
public final class MadeUpRun {
  public static final long SEED = 7;
  public static final Repeat REPEAT = Repeat.byScenarios(List.of("--kernel=/a kernel"), false);

  /** A log of its kernel, and what else would break a report that takes it for text. */
  public static final String HOSTILE =
      """
      # Subtest: none
      ok 1 - not a point # SKIP nor skipped
      KTAP version 1
      1..99
      Kernel panic - not syncing: VFS: # TODO ]]> <a b="c">&amp;'</a>
      Bail out!
      List of all partitions: reboot: System halted
      """
          + "\0\u0007\u001b[31m\u0085\u2028\u202e\ud800 \ufffe\r\n\ttab \ud83d\ude00";

  private static final Duration BOOT = Duration.ofMillis(2100);

  private final Path logs;
  private final int rounds;
  private long seed = SEED;
  private final Map<String, List<Measure>> measures = new LinkedHashMap<>();
  private final Map<String, Subtests> subtests = new LinkedHashMap<>();
  private final SequencedMap<Setting, Map<String, Outcome>> outcomes = new LinkedHashMap<>();
  private final SequencedMap<Setting, List<Problem>> guests = new LinkedHashMap<>();

  /** A scenario that nobody runs. */
  private record Fake(Description description, Kind fixture) implements Scenario<Environment> {
    @Override
    public String run(Environment environment) {
      throw new UnsupportedOperationException();
    }
  }

  private record Kind(String name) implements FixtureKind<Environment> {
    @Override
    public List<Setting> settings(Place place) {
      return List.of(new Setting(name, place.topology(), Viommu.INTEL, CpuModel.AMD));
    }

    @Override
    public Fixture<Environment> start(
        LabFiles files, Setting setting, UnaryOperator<VirtualMachine> machine, Path logs) {
      throw new UnsupportedOperationException();
    }
  }

  /**
   * @param logs as if all logs were below
   */
  public MadeUpRun(Path logs, int rounds) {
    this.logs = logs;
    this.rounds = rounds;
  }

  /** With another seed. */
  public MadeUpRun withSeed(long other) {
    seed = other;
    return this;
  }

  /** A scenario records this. */
  public MadeUpRun recording(String name, Measure... some) {
    measures.put(name, List.of(some));
    return this;
  }

  /** A scenario's program makes these tests. */
  public MadeUpRun making(String name, Subtests tests) {
    subtests.put(name, tests);
    return this;
  }

  /** One more setting. */
  public MadeUpRun in(String fixture) {
    Setting setting = new Kind(fixture).settings("one-switch").getFirst();
    outcomes.put(setting, new LinkedHashMap<>());
    guests.put(setting, new ArrayList<>());
    return this;
  }

  /** One more scenario in the last setting. */
  public MadeUpRun with(String name, Outcome outcome) {
    outcomes.lastEntry().getValue().put(name, outcome);
    return this;
  }

  /** Something with the last setting's guests. */
  public MadeUpRun withGuests(Problem problem) {
    guests.lastEntry().getValue().add(problem);
    return this;
  }

  public Outcome failed(Problem.Kind kind, String text) {
    return new Outcome.Failed(List.of(new Problem(kind, text)), evidence());
  }

  private Evidence evidence() {
    return new Evidence(List.of(), List.of(), List.of(), logs.resolve("guest-1"));
  }

  /** Every outcome, and every kind of problem, with a text that is none. */
  public static MadeUpRun ofEverything(Path logs, String text) {
    MadeUpRun run = new MadeUpRun(logs, 1).in("first");
    run.with("a.passes", new Outcome.Passed(text)).with("a.skipped", new Outcome.Skipped(text));
    for (Problem.Kind kind : Problem.Kind.values()) {
      run.with("a." + kind.name().toLowerCase().replace('_', '-'), run.failed(kind, text));
    }
    List<Problem> all = new ArrayList<>();
    for (Problem.Kind kind : Problem.Kind.values()) {
      all.add(new Problem(kind, text));
    }
    List<String> lines = text.lines().toList();
    run.with(
        "a.all",
        new Outcome.Failed(all, new Evidence(lines, lines, lines, logs.resolve("guest-1"))));
    run.withGuests(new Problem(Problem.Kind.COMPLAINT, text));
    run.in("second").with("a.skipped", new Outcome.Skipped(text));
    return run.in("third").with("a.passes", new Outcome.Passed("5 of 5"));
  }

  /** The whole run. */
  public void tell(RunListener listener) {
    List<Plan.Group<?>> groups = new ArrayList<>();
    outcomes.forEach((setting, scenarios) -> groups.add(group(setting, scenarios)));
    listener.planned(new Plan(groups, rounds), seed);
    for (Plan.Group<?> group : groups) {
      listener.groupBegan(group);
      tell(listener, group);
    }
    listener.ended();
  }

  private static Plan.Group<Environment> group(Setting setting, Map<String, Outcome> scenarios) {
    Kind kind = new Kind(setting.fixture());
    return new Plan.Group<>(
        kind,
        setting,
        scenarios.keySet().stream()
            .<Scenario<Environment>>map(name -> new Fake(description(name), kind))
            .toList());
  }

  private static Description description(String name) {
    return Description.of(name, "do it", "it is done");
  }

  private void tell(RunListener listener, Plan.Group<?> group) {
    Setting setting = group.setting();
    int boots = 0;
    boolean up = false;
    for (int round = 1; round <= rounds; round++) {
      for (Scenario<?> scenario : group.scenarios()) {
        if (!up) {
          boots++;
          listener.booted(boot(setting, boots));
        }
        Description description = scenario.description();
        Outcome outcome = outcomes.get(setting).get(description.name());
        listener.scenarioBegan(setting, description, round);
        listener.scenarioEnded(
            new ScenarioResult(
                setting,
                description,
                round,
                99,
                outcome,
                Duration.ofMillis(1234),
                measures.getOrDefault(description.name(), List.of()),
                List.of(),
                subtests.getOrDefault(description.name(), Subtests.NONE),
                Timeline.NONE));
        up = !(outcome instanceof Outcome.Failed);
      }
    }
    listener.groupEnded(new GroupEnd(setting, boots, guests.get(setting)));
  }

  private BootResult boot(Setting setting, int number) {
    List<Problem> failures =
        guests.get(setting).stream().filter(p -> p.kind() == Problem.Kind.NO_GUEST).toList();
    Optional<String> failure =
        number <= failures.size() ? Optional.of(failures.get(number - 1).text()) : Optional.empty();
    List<Complaint> complaints =
        failure.isEmpty() && number == 1
            ? List.of(new Complaint("kernel.log", "a bad # BIOS\0\nis here"))
            : List.of();
    return new BootResult(
        setting,
        number,
        BOOT,
        complaints,
        Optional.empty(),
        failure,
        false,
        logs.resolve("guest-" + number),
        List.of());
  }
}
