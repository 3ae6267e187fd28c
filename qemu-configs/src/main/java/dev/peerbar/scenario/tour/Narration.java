package dev.peerbar.scenario.tour;

import dev.peerbar.lab.boot.KernelLacksException;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Collectors;

/** Tells a tour while it is performed: of each step what was expected, what was seen, the time. */
final class Narration implements RunListener {
  private static final String LAST = "z";
  private static final String INDENT = " ".repeat(13);

  private final Tour<?> tour;
  private final PrintStream out;
  private final Iterator<? extends Tour.Stop<?>> stops;
  private final long began = System.nanoTime();
  private long lastEnded;
  private boolean lastHeld;
  private boolean held = true;
  private boolean bootComplained;
  private int skipped;

  Narration(Tour<?> tour, PrintStream out) {
    this.tour = tour;
    this.out = out;
    stops = tour.stops().iterator();
  }

  /** Whether no step has failed. */
  boolean held() {
    return held;
  }

  /** Whether a boot was not quiet. */
  boolean bootComplained() {
    return bootComplained;
  }

  @Override
  public void booted(BootResult boot) {
    if (boot.failure().isPresent()) {
      // Nobody would watch it being tried again.
      throw new UncheckedIOException(new NoGuestException(boot.failure().get()));
    }
    boot.kernel().ifPresent(this::judge);
    out.printf(
        "%s: %s guest is up after %.1f s%n",
        tour.headline(), boot.number() == 1 ? "the" : "another", seconds(boot.took()));
    if (!boot.complaints().isEmpty()) {
      out.printf(
          "its boot was not quiet, which no step answers for (%s):%n",
          boot.logs().toAbsolutePath());
      boot.complaints().forEach(c -> out.println(INDENT + c));
      bootComplained = true;
    }
  }

  private void judge(KernelOptions kernel) {
    try {
      KernelLacksException.unlessThere(kernel, tour.kernelNeeds());
    } catch (KernelLacksException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void scenarioBegan(Setting setting, Description scenario, int round) {
    Tour.Stop<?> stop = stops.next();
    began(stop.id(), stop.title(), stop.expected());
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    lastHeld = !(result.outcome() instanceof Outcome.Failed);
    switch (result.outcome()) {
      case Outcome.Passed passed -> ended(passed.saw(), "ok", result.took());
      case Outcome.Failed failed -> ended(seen(failed.problems()), "FAILED", result.took());
      case Outcome.Skipped why -> {
        skipped++;
        ended("nothing: " + why.reason(), "skipped", result.took());
      }
    }
    held &= lastHeld;
    lastEnded = System.nanoTime();
  }

  @Override
  public void groupEnded(GroupEnd end) {
    if (lastHeld) {
      began(LAST, "turn the guest off", tour.end());
      List<Problem> problems = end.problems();
      Duration took = Duration.ofNanos(System.nanoTime() - lastEnded);
      ended(
          problems.isEmpty() ? "both quiet" : seen(problems),
          problems.isEmpty() ? "ok" : "FAILED",
          took);
      held &= problems.isEmpty();
    }
    String steps = skipped == 0 ? "every step" : "every step but %d skipped".formatted(skipped);
    out.printf(
        "%s in %.1f s%n",
        held ? steps + " held" : "a step failed",
        seconds(Duration.ofNanos(System.nanoTime() - began)));
  }

  private void began(String id, String title, String expected) {
    out.printf("%-3s%s%n", id, title);
    out.printf("   expected  %s%n", expected);
    out.flush();
  }

  private void ended(String saw, String outcome, Duration took) {
    out.printf("   saw       %s%n", saw);
    out.printf("   %-8s  %.2f s%n", outcome, seconds(took));
    out.flush();
  }

  private static String seen(List<Problem> problems) {
    return problems.stream()
        .map(p -> p.kind() == Problem.Kind.UNEXPECTED ? p.text() : p.toString())
        .collect(Collectors.joining(System.lineSeparator() + INDENT));
  }

  private static double seconds(Duration took) {
    return took.toMillis() / 1e3;
  }
}
