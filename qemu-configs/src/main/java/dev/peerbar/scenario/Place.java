package dev.peerbar.scenario;

import dev.peerbar.lab.qemu.Viommu;
import java.util.Optional;

/**
 * Where scenarios are to be tried.
 *
 * @param topology one of {@link dev.peerbar.lab.qemu.Topology#NAMES}
 * @param viommu the IOMMU that guests see; empty for what each fixture has by itself
 */
public record Place(String topology, Optional<Viommu> viommu) {

  /** One in which each fixture has the IOMMU that suits it. */
  public static Place on(String topology) {
    return new Place(topology, Optional.empty());
  }

  @Override
  public String toString() {
    return viommu.map(v -> topology + " with " + v.label()).orElse(topology);
  }
}
