package dev.peerbar.scenario.importer;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** The {@code importer} family. */
public final class ImporterScenarios {
  private ImporterScenarios() {}

  public static List<Scenario<?>> all() {
    return Stream.of(
            Card.all(),
            Imports.all(),
            List.<Scenario<?>>of(new Routes()),
            Revocations.all(),
            Lifetimes.all())
        .<Scenario<?>>flatMap(List::stream)
        .toList();
  }
}
