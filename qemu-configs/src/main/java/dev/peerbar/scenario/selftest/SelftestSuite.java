package dev.peerbar.scenario.selftest;

import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.Scenario;
import java.util.ArrayList;
import java.util.List;

/** The kernel's own tests of vfio as scenarios, each with each type of endpoint. */
public final class SelftestSuite {
  /** What all of their names begin with: then comes the type of endpoint, and the program. */
  public static final String FAMILY = "selftests";

  private SelftestSuite() {}

  /**
   * Scenarios for guests that have the programs.
   *
   * @param programs their names
   * @param options that each is given, as tools/testing/selftests/kselftest_harness.h has them
   */
  public static Registry of(List<String> programs, List<String> options) {
    List<Scenario<?>> scenarios = new ArrayList<>();
    for (TestedEndpoint type : TestedEndpoint.values()) {
      SelftestPair.Kind kind = new SelftestPair.Kind(type);
      programs.forEach(program -> scenarios.add(new SelftestProgram(program, options, type, kind)));
    }
    return new Registry(scenarios);
  }
}
