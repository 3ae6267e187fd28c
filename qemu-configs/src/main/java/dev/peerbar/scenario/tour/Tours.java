package dev.peerbar.scenario.tour;

import dev.peerbar.lab.qemu.Topology;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** The tours that are shown together under one name, and what they are on each topology. */
public enum Tours {
  P2P(List.of(Topology.NAMES.getFirst()), topology -> List.of(P2pTour.on(topology))),
  NVME(Topology.NAMES.subList(0, 2), Tours::nvme);

  private final List<String> topologies;
  private final Function<String, List<Tour<?>>> on;

  Tours(List<String> topologies, Function<String, List<Tour<?>>> on) {
    this.topologies = topologies;
    this.on = on;
  }

  /** The guest's own driver first, then vfio-pci. */
  private static List<Tour<?>> nvme(String topology) {
    List<Tour<?>> tours = new ArrayList<>(StockNvmeTours.on(topology));
    tours.add(NvmeHbmTour.on(topology));
    return tours;
  }

  /**
   * One that takes minutes: the speed of an NVMe endpoint beside that of QEMU's own.
   *
   * @param polled whether the endpoint is polled
   */
  public static Tour<?> speed(boolean polled) {
    return StockNvmeTours.speed(polled);
  }

  /**
   * The tours in order.
   *
   * @param topology where; if empty, where they are shown unless somebody says where
   */
  public List<Tour<?>> on(Optional<String> topology) {
    List<String> where = topology.map(List::of).orElse(topologies);
    return where.stream().<Tour<?>>flatMap(t -> on.apply(t).stream()).toList();
  }
}
