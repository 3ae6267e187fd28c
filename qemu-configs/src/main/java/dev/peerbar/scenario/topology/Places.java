package dev.peerbar.scenario.topology;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Each topology is in the guest what it is called. */
final class Places {
  private static final int ZEN_3 = 0x19;
  private static final int INTEL = 6;

  private Places() {}

  static List<Scenario<?>> all() {
    return Stream.<Scenario<?>>concat(
            LAYOUTS.stream().map(Places::layout), Stream.of(groups(), cpu()))
        .toList();
  }

  /**
   * What there is between functions.
   *
   * @param name of the scenario
   * @param topology where
   * @param hopsOfA how many functions and ports are on the way from A to the root bus, both ends
   *     included
   * @param hopsOfB likewise
   * @param sharedHops how many of them both have
   * @param hosts how many host bridges they are below
   */
  private record Layout(
      String name,
      String topology,
      String means,
      int hopsOfA,
      int hopsOfB,
      int sharedHops,
      int hosts) {}

  private static final List<Layout> LAYOUTS =
      List.of(
          new Layout(
              "one-switch", "one-switch", "a switch above both, below one root port", 4, 4, 2, 1),
          new Layout(
              "acs-switch", "acs-switch", "a switch above both, whose ports have ACS", 4, 4, 2, 1),
          new Layout("root-ports", "two-root-ports", "a root port each, on one bus", 2, 2, 0, 1),
          new Layout(
              "nested-switches",
              "nested-switches",
              "A two ports further from the switch",
              6,
              4,
              2,
              1),
          new Layout(
              "two-host-bridges",
              "two-host-bridges",
              "a host bridge each, nothing shared",
              2,
              2,
              0,
              2));

  private static Case<HbmPair> layout(Layout layout) {
    return Case.on(
            HbmPair.KIND,
            "topology." + layout.name,
            "the ways from A and B to their host bridges, by sysfs",
            layout.means,
            pair -> layout(pair, layout))
        .only(setting -> setting.topology().equals(layout.topology));
  }

  private static String layout(HbmPair pair, Layout expected) throws Exception {
    PciPath a = PciPath.of(pair.deviceA().vfio().pci());
    PciPath b = PciPath.of(pair.deviceB().vfio().pci());
    long shared = a.hops().stream().filter(b.hops()::contains).count();
    int hosts = a.host().equals(b.host()) ? 1 : 2;
    unless(
        a.hops().size() == expected.hopsOfA
            && b.hops().size() == expected.hopsOfB
            && shared == expected.sharedHops
            && hosts == expected.hosts,
        "A by %s, B by %s",
        a,
        b);
    return "A %d hops below %s, B %d below %s, %d shared"
        .formatted(a.hops().size(), host(a), b.hops().size(), host(b), shared);
  }

  private static String host(PciPath path) {
    Optional<PciPath.Id> id = path.host().id();
    return path.host().bus() + id.map(i -> " (" + i + ")").orElse("");
  }

  private static Case<HbmPair> groups() {
    return Case.on(
        HbmPair.KIND,
        "topology.iommu-groups",
        "which IOMMU groups A and B are in",
        "one group if a port above both does not keep them apart by its ACS, else one each",
        pair -> {
          PciDevice a = pair.deviceA().vfio().pci();
          PciDevice b = pair.deviceB().vfio().pci();
          String ofA = group(a);
          String ofB = group(b);
          List<PciPath.Hop> aboveB = PciPath.of(b).hops();
          boolean common =
              PciPath.of(a).hops().stream()
                  .anyMatch(hop -> aboveB.contains(hop) && !hop.isolates());
          unless(ofA.equals(ofB) == common, "A in group %s, B in group %s", ofA, ofB);
          return common ? "both in group " + ofA : "groups %s and %s".formatted(ofA, ofB);
        });
  }

  private static String group(PciDevice function) throws IOException {
    String link = function.system().readLink(function.attribute("iommu_group"));
    return link.substring(link.lastIndexOf('/') + 1);
  }

  private static Case<StockNvme> cpu() {
    return Case.on(
            StockNvme.KIND,
            "topology.cpu",
            "who made the guest's first processor, and of which family",
            "AMD, Zen or later, or Intel: whom the kernel trusts with peers",
            nvme -> {
              P2pRule.Cpu cpu = P2pRule.Cpu.parse(nvme.guest().system().readText("/proc/cpuinfo"));
              unless(
                  cpu.equals(new P2pRule.Cpu("AuthenticAMD", ZEN_3))
                      || cpu.equals(new P2pRule.Cpu("GenuineIntel", INTEL)),
                  "%s",
                  cpu);
              return "%s, family 0x%x: peers %s"
                  .formatted(
                      cpu.vendor(),
                      cpu.family(),
                      cpu.letsPeersThrough() ? "through any host bridge" : "through listed ones");
            })
        .only(StockNvme::hasMessages);
  }
}
