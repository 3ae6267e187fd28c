package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.lab.qemu.QemuEndedException;
import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * Has scenarios tried: boots what they need, gives each a fresh environment and a limited time,
 * judges what it left behind, and goes on with another guest after a failure. For one thread.
 */
public final class Runner {
  /** A guest that did not boot is tried once more; then its scenarios fail. */
  private static final int MOST_FAILED_BOOTS = 2;

  /** Of a timeline that shows what went wrong. */
  private static final int MOST_EVENTS_OF_FAILED = 1000;

  /** Of one that only shows what a scenario does. */
  private static final int MOST_EVENTS_OF_PASSED = 200;

  private final Map<String, LabFiles> files;
  private final Options options;
  private final RunListener listener;

  /**
   * How to run.
   *
   * @param limit of a scenario's time, from before it is given its environment until that is taken
   *     back and judged
   * @param seed from which those of all scenarios follow
   * @param logs a directory for those of all guests; each has one of its own below
   * @param machine applied to every guest last
   */
  public record Options(
      Duration limit, long seed, Path logs, UnaryOperator<VirtualMachine> machine) {

    /** With guests as their settings have them. */
    public Options(Duration limit, long seed, Path logs) {
      this(limit, seed, logs, UnaryOperator.identity());
    }
  }

  /** Of plans with one kernel. */
  public Runner(LabFiles files, Options options, RunListener listener) {
    this(Map.of("", files), options, listener);
  }

  /**
   * @param files what guests are made of, by the kernels of the plan
   */
  public Runner(Map<String, LabFiles> files, Options options, RunListener listener) {
    this.files = Map.copyOf(files);
    this.options = options;
    this.listener = listener;
  }

  /**
   * The seed of one scenario in one round: that of round {@code n} with a seed is that of round 1
   * with the seed and {@code n - 1} more, so that a round can be repeated alone.
   */
  static long seedOf(long seed, String scenario, int round) {
    return Objects.hash(scenario) * 0x9e3779b97f4a7c15L ^ seed + round - 1;
  }

  /** Runs all of a plan. */
  public void run(Plan plan) throws IOException {
    listener.planned(plan, options.seed);
    try (DeviceMessages messages = DeviceMessages.observe()) {
      for (Plan.Group<?> group : plan.groups()) {
        new GroupRun<>(group, messages).run(plan.rounds());
      }
    }
    listener.ended();
  }

  /** One group, in as many guests as it takes. */
  private final class GroupRun<E extends Environment> {
    private final Plan.Group<E> group;
    private final DeviceMessages messages;
    private final List<Problem> problems = new ArrayList<>();
    private BootedFixture<E> booted;
    private Path logs;
    private int boots;
    private int failedBoots;

    GroupRun(Plan.Group<E> group, DeviceMessages messages) {
      this.group = group;
      this.messages = messages;
    }

    void run(int rounds) throws IOException {
      listener.groupBegan(group);
      try {
        for (int round = 1; round <= rounds; round++) {
          for (Scenario<E> scenario : group.scenarios()) {
            if (booted == null) {
              boot();
            }
            listener.scenarioBegan(group.setting(), scenario.description(), round);
            ScenarioResult result = result(scenario, round);
            listener.scenarioEnded(result);
            // Whatever is broken is not to be met again by another scenario.
            if (result.outcome() instanceof Outcome.Failed
                || result.outcome() instanceof Outcome.Passed && scenario.spendsGuest()) {
              end();
            }
          }
        }
        turnOff();
      } finally {
        end();
      }
      listener.groupEnded(new GroupEnd(group.setting(), boots, problems));
    }

    private void boot() {
      while (booted == null && failedBoots < MOST_FAILED_BOOTS) {
        boots++;
        logs = options.logs.resolve(group.setting().name()).resolve("guest-" + boots);
        long start = System.nanoTime();
        Optional<String> failure = Optional.empty();
        boolean qemuFailed = false;
        Optional<KernelOptions> kernel = Optional.empty();
        List<Lab.Complaint> complaints = List.of();
        List<ServedEndpoint> endpoints = List.of();
        try {
          booted = start();
          Lab lab = booted.fixture().lab();
          complaints = lab.bootComplaints();
          kernel = Optional.of(lab.kernelOptions());
          endpoints = booted.fixture().servers().stream().map(ServedEndpoint::of).toList();
          failedBoots = 0;
        } catch (IOException | RuntimeException e) {
          failedBoots++;
          qemuFailed = e instanceof QemuEndedException ended && ended.status() != 0;
          failure = Optional.of(Objects.requireNonNullElse(e.getMessage(), e.toString()));
          problems.add(new Problem(Problem.Kind.NO_GUEST, failure.get()));
        }
        listener.booted(
            new BootResult(
                group.setting(),
                boots,
                since(start),
                complaints,
                kernel,
                failure,
                qemuFailed,
                logs,
                endpoints));
      }
    }

    private BootedFixture<E> start() throws IOException {
      Fixture<E> fixture =
          group
              .kind()
              .start(files.get(group.setting().kernel()), group.setting(), options.machine, logs);
      try {
        complain(fixture.lab().complaints());
        return new BootedFixture<>(group.kind(), fixture, logs);
      } catch (IOException | RuntimeException e) {
        fixture.close();
        throw e;
      }
    }

    private ScenarioResult result(Scenario<E> scenario, int round) {
      Description description = scenario.description();
      Run run = new Run(round, seedOf(options.seed, description.name(), round), messages::last);
      long start = System.nanoTime();
      if (booted == null) {
        return new ScenarioResult(
            group.setting(),
            description,
            round,
            run.seed(),
            new Outcome.Failed(
                List.of(problems.getLast()), new Evidence(List.of(), List.of(), List.of(), logs)),
            since(start));
      }
      Trial<E> trial = new Trial<>(scenario, booted, run, options.limit, messages);
      Outcome outcome = trial.outcome();
      return new ScenarioResult(
          group.setting(),
          description,
          round,
          run.seed(),
          outcome,
          since(start),
          run.measures(),
          run.routes(),
          run.subtests(),
          timeline(trial, outcome, round));
    }

    private static Timeline timeline(Trial<?> trial, Outcome outcome, int round) {
      return switch (outcome) {
        case Outcome.Failed _ -> trial.timeline(outcome).atMost(MOST_EVENTS_OF_FAILED);
        // One round that went well is like another.
        case Outcome.Passed _ when round == 1 ->
            trial.timeline(outcome).atMost(MOST_EVENTS_OF_PASSED);
        case Outcome.Passed _, Outcome.Skipped _ -> Timeline.NONE;
      };
    }

    private void turnOff() {
      if (booted == null) {
        return;
      }
      try {
        complain(booted.powerOff());
      } catch (IOException e) {
        problems.add(new Problem(Problem.Kind.NO_GUEST, "it could not be turned off: " + e));
      }
    }

    private void complain(List<Lab.Complaint> complaints) {
      complaints.forEach(c -> problems.add(new Problem(Problem.Kind.COMPLAINT, c.toString())));
    }

    private void end() throws IOException {
      if (booted != null) {
        BootedFixture<E> old = booted;
        booted = null;
        old.close();
      }
    }
  }

  private static Duration since(long start) {
    return Duration.ofNanos(System.nanoTime() - start);
  }
}
