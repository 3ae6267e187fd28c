package dev.peerbar.scenario;

import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.VirtualMachine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A kind of fixture: which endpoints, and in which settings.
 *
 * @param <E> what it gives a scenario
 */
public interface FixtureKind<E extends Environment> {

  /** Its name: words and hyphens. */
  String name();

  /** What every scenario on it needs: looked for once in each guest, before the first is opened. */
  default List<Requirement> needs() {
    return List.of();
  }

  /** The settings in a place, in order; none if it makes no sense there. */
  List<Setting> settings(Place place);

  /** The settings on a topology, in order, with the IOMMU that suits. */
  default List<Setting> settings(String topology) {
    return settings(Place.on(topology));
  }

  /**
   * Serves the endpoints and boots a guest with them. When it returns nothing has been tried yet,
   * and the endpoints are as they will be between scenarios.
   *
   * @param machine applied last to the machine of the setting
   * @param logs where QEMU's and the guest's logs go
   * @throws dev.peerbar.lab.qemu.QemuEndedException if QEMU ends before the guest is up
   * @throws IOException if the guest does not come up
   */
  Fixture<E> start(
      LabFiles files, Setting setting, UnaryOperator<VirtualMachine> machine, Path logs)
      throws IOException;
}
