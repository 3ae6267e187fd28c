package dev.peerbar.scenario.tour;

import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.scenario.Environment;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Scenarios in one guest, told step by step. They stand alone: a tour only puts them in an order in
 * which they make sense to a reader. Its last step is the guest's end.
 *
 * @param headline what is shown, where
 * @param kind of fixture
 * @param setting of the kind
 * @param stops in order
 * @param end what should be seen when the guest is turned off
 */
public record Tour<E extends Environment>(
    String headline, FixtureKind<E> kind, Setting setting, List<Stop<E>> stops, String end) {

  private static final String QUIET =
      "no error, WARN or BUG in the guest's kernel log or from QEMU";

  /**
   * One step.
   *
   * @param id short, for people and scripts
   * @param title what is done, as a reader of the steps before would say it
   * @param expected what should be seen, likewise
   */
  public record Stop<E extends Environment>(
      String id, String title, String expected, Scenario<E> scenario) {

    /** In the scenario's own words. */
    public static <E extends Environment> Stop<E> of(String id, Scenario<E> scenario) {
      return new Stop<>(
          id, scenario.description().does(), scenario.description().expects(), scenario);
    }
  }

  public Tour {
    stops = List.copyOf(stops);
  }

  /** One after whose end both logs are quiet. */
  public Tour(String headline, FixtureKind<E> kind, Setting setting, List<Stop<E>> stops) {
    this(headline, kind, setting, stops, QUIET);
  }

  /** The scenarios, once each. */
  Plan plan() {
    return new Plan(
        List.of(new Plan.Group<>(kind, setting, stops.stream().map(Stop::scenario).toList())), 1);
  }

  /** What the kernel is needed for, by one step or the other. */
  public Set<KernelNeed> kernelNeeds() {
    Stream<KernelNeed> ofSteps =
        Stream.concat(
                kind.needs().stream(),
                stops.stream().flatMap(stop -> stop.scenario().description().needs().stream()))
            .flatMap(need -> need.kernelNeeds().stream());
    return Stream.concat(Stream.of(KernelNeed.BOOT), ofSteps)
        .collect(Collectors.toUnmodifiableSet());
  }
}
