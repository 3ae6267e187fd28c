package dev.peerbar.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.scenario.suite.Suite;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * A quarter of the suite, which every build runs; {@code ./peerbar scenarios} runs the rest. The
 * file {@code chosen-scenarios} says which: what others rely on, and what has failed before.
 */
final class ChosenScenariosTest {

  /** Patterns of names by topology. */
  private static Map<String, List<String>> chosen() throws IOException {
    Map<String, List<String>> chosen = new LinkedHashMap<>();
    try (InputStream file = ChosenScenariosTest.class.getResourceAsStream("chosen-scenarios")) {
      String text = new String(file.readAllBytes(), StandardCharsets.UTF_8);
      for (String line : text.lines().filter(l -> !l.isBlank() && !l.startsWith("#")).toList()) {
        String[] words = line.strip().split("\\s+");
        chosen.computeIfAbsent(words[0], _ -> new ArrayList<>()).add(words[1]);
      }
    }
    return chosen;
  }

  @Test
  void everyFamilyIsAmongThem() throws IOException {
    Set<String> families = new TreeSet<>();
    for (List<String> patterns : chosen().values()) {
      families.addAll(families(Suite.ALL.matching(patterns)));
    }
    assertThat(families).isEqualTo(families(Suite.ALL.scenarios()));
  }

  private static Set<String> families(List<Scenario<?>> scenarios) {
    return scenarios.stream()
        .map(s -> s.description().family())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void theyAreAQuarter() throws IOException {
    int all = Plan.of(Suite.ALL.scenarios(), List.of(Topology.NAMES.getFirst()), 1).size();
    int some = 0;
    for (Map.Entry<String, List<String>> on : chosen().entrySet()) {
      some += Plan.of(Suite.ALL.matching(on.getValue()), List.of(on.getKey()), 1).size();
    }
    assertThat((double) some / all).isBetween(0.2, 0.35);
  }

  @Tag("guest")
  @TestFactory
  List<DynamicTest> hold() throws Exception {
    List<Plan.Group<?>> groups = new ArrayList<>();
    for (Map.Entry<String, List<String>> on : chosen().entrySet()) {
      groups.addAll(Plan.of(Suite.ALL.matching(on.getValue()), List.of(on.getKey()), 1).groups());
    }
    return PlanTests.of(new Plan(groups, 1), "chosen");
  }
}
