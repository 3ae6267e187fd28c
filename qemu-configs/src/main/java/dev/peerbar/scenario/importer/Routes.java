package dev.peerbar.scenario.importer;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.drm.DrmDevice;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Route;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.Refused;
import dev.peerbar.scenario.fixture.Wait;
import dev.peerbar.scenario.fixture.gpu.HbmAndGpu;
import dev.peerbar.scenario.topology.P2pRule;
import dev.peerbar.scenario.topology.PciPath;
import dev.peerbar.server.events.TransferEvent;
import java.io.IOException;
import java.time.Duration;

/** By which way the card is led to A's memory, held to the kernel's own rule. */
final class Routes implements Scenario<HbmAndGpu> {
  private static final Duration LIMIT = Duration.ofSeconds(30);

  @Override
  public Description description() {
    return Description.of(
        "importer.route",
        "import A's memory and show it",
        "allowed or refused, and by bus address or DMA address, as ports, ACS, host bridges, CPU"
            + " and IOMMU have it");
  }

  @Override
  public FixtureKind<HbmAndGpu> fixture() {
    return HbmAndGpu.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    // QEMU shows functions no device memory that a virtio-iommu maps.
    return setting.viommu() != Viommu.VIRTIO;
  }

  @Override
  public String run(HbmAndGpu pair) throws Exception {
    PciDevice provider = pair.device().vfio().pci();
    P2pRule.Path path =
        P2pRule.path(
            PciPath.of(provider),
            PciPath.of(pair.card()),
            P2pRule.Cpu.parse(pair.guest().system().readText("/proc/cpuinfo")));
    boolean translated = pair.isTranslated();
    try (DrmDevice card = pair.openCard();
        DmaBuf exported = pair.exportToCard(Shown.LENGTH)) {
      String seen =
          switch (path) {
            case REFUSED -> refused(card, exported);
            case BUS_ADDRESS ->
                translated ? lost(pair, card, exported) : shown(pair, card, exported, true);
            case HOST_BRIDGE -> shown(pair, card, exported, !translated);
          };
      boolean arrived =
          path != P2pRule.Path.REFUSED && !(path == P2pRule.Path.BUS_ADDRESS && translated);
      pair.run().took(new Route("b", "a", path.toString(), arrived));
      return "%s: %s".formatted(path, seen);
    }
  }

  private static String refused(DrmDevice card, DmaBuf exported) throws Exception {
    Refused.with(Errno.EINVAL, "the import", () -> card.importDmaBuf(exported.fd()));
    return "EINVAL";
  }

  /** QEMU's vIOMMU is in front of each function, so that a bus address means nothing to it. */
  private static String lost(HbmAndGpu pair, DrmDevice card, DmaBuf exported) throws Exception {
    pair.run().mayComplain(line -> line.endsWith(Shown.NOT_FLUSHED));
    int framebuffer = framebuffer(card, exported);
    card.show(card.outputs().getFirst(), framebuffer);
    Wait.until(
        () -> Shown.reads(pair).stream().anyMatch(t -> t.fault() != null),
        LIMIT,
        "a read that fails");
    TransferEvent read =
        Shown.reads(pair).stream().filter(t -> t.fault() != null).findFirst().orElseThrow();
    checkAddress(pair, read.faultAddress(), true);
    card.disable(card.outputs().getFirst());
    return "it is given bus address 0x%x, which QEMU's vIOMMU does not know"
        .formatted(read.faultAddress());
  }

  private static String shown(HbmAndGpu pair, DrmDevice card, DmaBuf exported, boolean atBar)
      throws Exception {
    Drawing drawing = Drawing.of(Shown.WIDTH, Shown.HEIGHT, pair.run().seed());
    drawing.put(pair.device().bar(HbmRegisters.MEMORY_BAR), Shown.PITCH);
    int framebuffer = framebuffer(card, exported);
    card.show(card.outputs().getFirst(), framebuffer);
    drawing.await(pair);
    long address = Shown.reads(pair).getLast().source();
    checkAddress(pair, address, atBar);
    card.disable(card.outputs().getFirst());
    return "it is given 0x%x, an address of %s; the picture is right"
        .formatted(address, atBar ? "A's BAR" : "its IOMMU");
  }

  private static int framebuffer(DrmDevice card, DmaBuf exported) throws IOException {
    return card.addFramebuffer(
        card.importDmaBuf(exported.fd()), Shown.WIDTH, Shown.HEIGHT, Shown.PITCH, 0);
  }

  private static void checkAddress(HbmAndGpu pair, long address, boolean atBar) throws Exception {
    long first =
        Long.decode(
            pair.guest()
                .system()
                .readText(pair.device().vfio().pci().attribute("resource"))
                .lines()
                .toList()
                .get(HbmRegisters.MEMORY_BAR)
                .split(" ")[0]);
    unless(
        (address >= first && address < first + HbmAndGpu.BAR_SIZE) == atBar,
        "it is given 0x%x, and A's BAR is at 0x%x",
        address,
        first);
  }
}
