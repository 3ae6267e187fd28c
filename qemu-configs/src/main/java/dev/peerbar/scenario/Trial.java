package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.qemu.Qemu;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One scenario being tried once, on a thread of its own: what it needs is looked for, logs are
 * marked, its environment is opened, it runs, the environment is released, and what it left behind
 * and what the kernel and QEMU said is judged.
 */
final class Trial<E extends Environment> {
  private static final Logger log = LoggerFactory.getLogger(Trial.class);

  /** How long a thread that is interrupted may take to end, before it is left to itself. */
  private static final Duration FAREWELL = Duration.ofSeconds(5);

  private final Scenario<E> scenario;
  private final BootedFixture<E> booted;
  private final Fixture<E> fixture;
  private final Run run;
  private final Duration limit;
  private final Surroundings surroundings;
  private final List<Problem> problems = new ArrayList<>();

  /** Whether there was an environment: what is left of less is not the scenario's. */
  private boolean opened;

  /** Why the scenario could not be tried, as it found itself. */
  private Optional<String> skipped = Optional.empty();

  /** What happened in a scenario that returned. */
  private volatile Optional<Timeline> ran = Optional.empty();

  /** As it was when the first problem was met. */
  private Evidence evidence;

  Trial(
      Scenario<E> scenario,
      BootedFixture<E> booted,
      Run run,
      Duration limit,
      DeviceMessages messages) {
    this.scenario = scenario;
    this.booted = booted;
    this.fixture = booted.fixture();
    this.run = run;
    this.limit = limit;
    surroundings = new Surroundings(booted, messages);
  }

  /** Tries it, in little more than its time. */
  Outcome outcome() {
    CompletableFuture<Outcome> outcome = new CompletableFuture<>();
    Thread thread =
        Thread.ofPlatform()
            .daemon()
            .name(scenario.description().name())
            .start(() -> complete(outcome));
    try {
      return outcome.get(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      // While what hangs still does.
      Evidence seen = surroundings.look();
      List<Problem> all = new ArrayList<>();
      all.add(
          new Problem(Problem.Kind.TIME_LIMIT, "it had %.0f s".formatted(limit.toMillis() / 1e3)));
      all.addAll(complaintsOfStuckGuest());
      leave(thread);
      return new Outcome.Failed(all, seen);
    } catch (InterruptedException e) {
      leave(thread);
      Thread.currentThread().interrupt();
      return failed(new Problem(Problem.Kind.ERROR, "interrupted"));
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
  }

  /** What happened while the scenario ran; if it failed, until it was judged. */
  Timeline timeline(Outcome outcome) {
    return outcome instanceof Outcome.Passed
        ? ran.orElse(Timeline.NONE)
        : surroundings.timeline(scenario.description().name());
  }

  private List<Problem> complaintsOfStuckGuest() {
    try {
      return Surroundings.asked(this::complaints);
    } catch (IOException e) {
      log.debug("the logs cannot be judged", e);
      return List.of();
    }
  }

  private void leave(Thread thread) {
    thread.interrupt();
    boolean ended = false;
    try {
      ended = thread.join(FAREWELL);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (!ended) {
      log.warn("{} does not end, and is left to itself", thread.getName());
      booted.abandon();
    }
  }

  private void complete(CompletableFuture<Outcome> outcome) {
    try {
      outcome.complete(tried());
    } catch (Throwable e) {
      outcome.complete(failed(error(e)));
    }
  }

  private Outcome.Failed failed(Problem problem) {
    return new Outcome.Failed(List.of(problem), surroundings.look());
  }

  private Outcome tried() throws Exception {
    Optional<String> missing = booted.missingFor(scenario);
    if (missing.isPresent()) {
      return new Outcome.Skipped(missing.get());
    }
    fixture.lab().guest().markKernelLog(scenario.description().name() + " begins");
    Inventory before = Inventory.take(fixture);
    String saw = performed();
    if (scenario.spendsGuest()) {
      complaintsOfSpentGuest().forEach(this::add);
    } else if (stillThere()) {
      if (opened) {
        before.more(Inventory.take(fixture)).forEach(this::left);
      }
      complaints().forEach(this::add);
    }
    if (!problems.isEmpty()) {
      return new Outcome.Failed(problems, evidence);
    }
    return skipped.<Outcome>map(Outcome.Skipped::new).orElse(new Outcome.Passed(saw));
  }

  private List<Problem> complaintsOfSpentGuest() throws IOException {
    return Thread.currentThread().isInterrupted()
        ? List.of()
        : judged(booted.lastComplaints(end()));
  }

  private List<Problem> complaints() throws IOException {
    return judged(booted.complaints(end()));
  }

  private String end() {
    return scenario.description().name() + " has ended";
  }

  private List<Problem> judged(List<Lab.Complaint> complaints) {
    return complaints.stream()
        .filter(complaint -> !run.allows(complaint.line()))
        .map(complaint -> new Problem(Problem.Kind.COMPLAINT, complaint.toString()))
        .toList();
  }

  private String performed() throws IOException {
    Optional<E> environment = Optional.empty();
    String saw = "";
    try {
      environment = Optional.of(fixture.open(run));
      opened = true;
      surroundings.begin();
      saw = scenario.run(environment.get());
      ran = Optional.of(surroundings.timeline(scenario.description().name()));
    } catch (SkippedException e) {
      skipped = Optional.of(e.getMessage());
    } catch (UnexpectedException e) {
      add(new Problem(Problem.Kind.UNEXPECTED, e.getMessage()));
    } catch (Exception | Error e) {
      add(error(e));
    }
    if (environment.isPresent() && !scenario.spendsGuest() && stillThere()) {
      try {
        fixture.release(environment.get()).forEach(this::left);
      } catch (Exception e) {
        left("what could not be taken back: " + message(e));
      }
    }
    return saw;
  }

  private boolean stillThere() throws IOException {
    if (Thread.currentThread().isInterrupted()) {
      return false;
    }
    // After a failure it may be about to end.
    Qemu qemu = fixture.lab().qemu();
    if (qemu.isAlive() && (problems.isEmpty() || !qemu.hasEnded())) {
      return true;
    }
    if (problems.stream().noneMatch(p -> p.kind() == Problem.Kind.NO_GUEST)) {
      add(new Problem(Problem.Kind.NO_GUEST, qemu.end()));
    }
    return false;
  }

  private void left(String what) {
    add(new Problem(Problem.Kind.LEFT_BEHIND, what));
  }

  private void add(Problem problem) {
    if (problems.isEmpty()) {
      evidence = surroundings.look();
    }
    problems.add(problem);
  }

  private static Problem error(Throwable e) {
    log.debug("a scenario could not be done", e);
    return new Problem(Problem.Kind.ERROR, message(e));
  }

  private static String message(Throwable e) {
    return e instanceof IOException && e.getMessage() != null
        ? e.getMessage()
        : Objects.toString(e);
  }
}
