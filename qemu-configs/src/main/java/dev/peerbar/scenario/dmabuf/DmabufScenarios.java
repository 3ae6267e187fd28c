package dev.peerbar.scenario.dmabuf;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** BARs as DMABUFs. */
public final class DmabufScenarios {
  private DmabufScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(
            Exports.all(),
            ExportRefused.all(),
            PathAlias.all(),
            NotBuiltIn.all(),
            MapProbe.all(),
            MapRefusals.all(),
            MapContents.all(),
            MapRevoked.all(),
            MapControl.all(),
            MapRaces.all())
        .<Scenario<?>>flatMap(List::stream)
        .toList();
  }
}
