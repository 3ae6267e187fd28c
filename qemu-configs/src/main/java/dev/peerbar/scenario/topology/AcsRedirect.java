package dev.peerbar.scenario.topology;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * ACS redirect in the ports of a switch, which the kernel leaves off where it has no IOMMU, put on
 * and off again. The kernel keeps an answer for as long as the provider's driver is bound.
 */
final class AcsRedirect implements Scenario<StockNvme> {
  /** What the kernel says of it, once for each answer that it keeps. */
  private static final Pattern TOLD =
      Pattern.compile(
          "nvme [0-9a-f:.]+: (ACS redirect is set between the client and provider"
              + " \\([0-9a-f:.]+\\)|to disable ACS redirect for this path, add the kernel parameter:"
              + " pci=disable_acs_redir=[0-9a-f:.;]+)"
              + "|pci [0-9a-f:.]+: Host bridge not in P2PDMA whitelist: 8086:29c0");

  /** Whose ports have ACS. */
  private static final String TOPOLOGY = "acs-switch";

  @Override
  public Description description() {
    return Description.of(
            "topology.acs-redirect",
            "turn ACS redirect on in the ports above A and B, and off again",
            "the way leads through the host bridge, if that lets peers through; then it turns at"
                + " the switch")
        .needing(GuestFeature.PEER_MEMORY);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.hasMessages(setting)
        && setting.topology().equals(TOPOLOGY)
        && setting.viommu() == Viommu.NONE;
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    List<PciDevice> ports =
        List.of(nvme.disk(nvme.underTest()).pci().port(), nvme.disk(nvme.second()).pci().port());
    nvme.run().mayComplain(TOLD.asPredicate());
    String on;
    try (Redirecting _ = Redirecting.at(ports)) {
      on = way(nvme, false);
    }
    return on + "; " + way(nvme, true);
  }

  private static String way(StockNvme nvme, boolean turnsAtSwitch) throws Exception {
    nvme.unbind().close();
    RouteBetween way = new RouteBetween("acs-redirect", StockNvme::underTest, StockNvme::second);
    P2pRule.Path path = way.path(nvme);
    unless((path == P2pRule.Path.BUS_ADDRESS) == turnsAtSwitch, "the rule says %s", path);
    return way.run(nvme);
  }

  /** Ports that redirect, until this is closed. */
  private record Redirecting(List<PciDevice> ports, List<Integer> before) implements AutoCloseable {
    static Redirecting at(List<PciDevice> ports) throws IOException {
      List<Integer> before = new ArrayList<>();
      for (PciDevice port : ports) {
        int control = PciPath.acsControl(port);
        before.add(control);
        PciPath.setAcsControl(port, control | PciPath.REDIRECT_REQUESTS_AND_COMPLETIONS);
      }
      return new Redirecting(ports, before);
    }

    @Override
    public void close() throws IOException {
      for (int i = 0; i < ports.size(); i++) {
        PciPath.setAcsControl(ports.get(i), before.get(i));
      }
    }
  }
}
