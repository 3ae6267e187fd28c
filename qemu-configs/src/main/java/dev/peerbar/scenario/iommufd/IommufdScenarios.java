package dev.peerbar.scenario.iommufd;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** What an IOAS of iommufd takes, and what it refuses. */
public final class IommufdScenarios {
  private IommufdScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(
            List.of(new ImportMemory()),
            Imports.all(),
            ImportRefused.all(),
            Unmaps.all(),
            Lifetimes.all(),
            PageTables.all())
        .<Scenario<?>>flatMap(List::stream)
        .toList();
  }
}
