package dev.peerbar.scenario;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What is to be tried, and where.
 *
 * @param groups in the order in which they run
 * @param rounds how often each scenario runs in each
 */
public record Plan(List<Group<?>> groups, int rounds) {

  /**
   * Scenarios that share a setting, and therefore guests.
   *
   * @param kind of fixture
   * @param setting of the kind
   * @param scenarios at least one, in the order in which they run
   */
  public record Group<E extends Environment>(
      FixtureKind<E> kind, Setting setting, List<Scenario<E>> scenarios) {
    public Group {
      scenarios = List.copyOf(scenarios);
    }
  }

  public Plan {
    groups = List.copyOf(groups);
    if (rounds < 1) {
      throw new IllegalArgumentException(rounds + " rounds");
    }
  }

  /**
   * Scenarios in every setting that their fixtures have on some topologies, if they belong there.
   */
  public static Plan of(List<Scenario<?>> scenarios, List<String> topologies, int rounds) {
    return of(scenarios, topologies.stream().map(Place::on).toList(), List.of(""), rounds);
  }

  /**
   * Scenarios in every setting that their fixtures have in some places, if they belong there, with
   * each of some kernels.
   *
   * @param kernels a word for each; an empty one if it is the only one
   */
  public static Plan of(
      List<Scenario<?>> scenarios, List<Place> places, List<String> kernels, int rounds) {
    List<Group<?>> groups = new ArrayList<>();
    for (String kernel : kernels) {
      for (Place place : places) {
        Map<FixtureKind<?>, List<Scenario<?>>> byKind = new LinkedHashMap<>();
        for (Scenario<?> scenario : scenarios) {
          byKind.computeIfAbsent(scenario.fixture(), _ -> new ArrayList<>()).add(scenario);
        }
        byKind.forEach((kind, some) -> groups.addAll(groups(kind, some, place, kernel)));
      }
    }
    return new Plan(groups, rounds);
  }

  // The scenarios of a map's entry all have its kind.
  @SuppressWarnings("unchecked")
  private static <E extends Environment> List<Group<E>> groups(
      FixtureKind<E> kind, List<Scenario<?>> scenarios, Place place, String kernel) {
    List<Group<E>> groups = new ArrayList<>();
    for (Setting anyKernels : kind.settings(place)) {
      Setting setting = anyKernels.withKernel(kernel);
      List<Scenario<E>> here =
          scenarios.stream().filter(s -> s.belongsIn(setting)).map(s -> (Scenario<E>) s).toList();
      if (!here.isEmpty()) {
        groups.add(new Group<>(kind, setting, here));
      }
    }
    return groups;
  }

  /** How many results there will be. */
  public int size() {
    return groups.stream().mapToInt(g -> g.scenarios().size()).sum() * rounds;
  }
}
