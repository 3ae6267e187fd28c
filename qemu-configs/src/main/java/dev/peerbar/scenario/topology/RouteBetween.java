package dev.peerbar.scenario.topology;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.Viommu;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Route;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.FailedTransfers;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.RefusedPeers;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.server.events.TransferEvent;
import java.io.IOException;
import java.util.List;
import java.util.function.Function;

/**
 * The kernel's peer-to-peer DMA between two of the endpoints, held to its own rule: whether it
 * happens, and which addresses the one that masters the bus was given.
 */
final class RouteBetween implements Scenario<StockNvme> {
  private final String name;
  private final Function<StockNvme, NvmeController> provider;
  private final Function<StockNvme, NvmeController> client;

  /**
   * @param provider of the memory
   * @param client whose disk is read and written through it: an endpoint of this process
   */
  RouteBetween(
      String name,
      Function<StockNvme, NvmeController> provider,
      Function<StockNvme, NvmeController> client) {
    this.name = name;
    this.provider = provider;
    this.client = client;
  }

  @Override
  public Description description() {
    return Description.of(
            "topology." + name,
            "O_DIRECT on one endpoint's disk through another's CMB",
            "allowed or refused, and by bus address or DMA address, as ports, ACS, host bridges and"
                + " CPU have it")
        .needing(GuestFeature.PEER_MEMORY);
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    // QEMU shows functions no device memory that a virtio-iommu maps.
    return StockNvme.hasMessages(setting) && setting.viommu() != Viommu.VIRTIO;
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    NvmeController from = client.apply(nvme);
    NvmeController to = provider.apply(nvme);
    Peers peers = nvme.peers(to, from);
    P2pRule.Path path = expected(nvme, peers);
    boolean translated = translated(nvme);
    String seen =
        switch (path) {
          case REFUSED -> refused(nvme, peers);
          case BUS_ADDRESS -> translated ? lost(nvme, peers, from) : moved(nvme, peers, from, true);
          case HOST_BRIDGE -> moved(nvme, peers, from, !translated);
        };
    boolean arrived =
        path != P2pRule.Path.REFUSED && !(path == P2pRule.Path.BUS_ADDRESS && translated);
    nvme.run().took(new Route(letter(from), letter(to), path.toString(), arrived));
    return "%s to %s %s: %s".formatted(from.port(), to.port(), path, seen);
  }

  /** What is to be expected now. */
  P2pRule.Path path(StockNvme nvme) throws IOException {
    return expected(nvme, nvme.peers(provider.apply(nvme), client.apply(nvme)));
  }

  private static P2pRule.Path expected(StockNvme nvme, Peers peers) throws IOException {
    String cpuinfo = nvme.guest().system().readText("/proc/cpuinfo");
    return P2pRule.path(
        PciPath.of(peers.provider().pci()),
        PciPath.of(peers.client().pci()),
        P2pRule.Cpu.parse(cpuinfo));
  }

  private static boolean translated(StockNvme nvme) throws IOException {
    GuestSystem system = nvme.guest().system();
    return system.exists(nvme.disk().pci().attribute("iommu_group"));
  }

  private static String letter(NvmeController controller) {
    return controller.port().name().toLowerCase(java.util.Locale.ROOT);
  }

  private static String refused(StockNvme nvme, Peers peers) throws Exception {
    nvme.run()
        .mayComplain(
            new RefusedPeers(peers.provider(), peers.client(), Peers.POSITION, Peers.LENGTH));
    peers.seeRefused(Errno.EINVAL);
    return "EINVAL, no byte moved";
  }

  /** QEMU's vIOMMU is in front of each function, so that a bus address means nothing to it. */
  private static String lost(StockNvme nvme, Peers peers, NvmeController client) throws Exception {
    nvme.run().mayComplain(new FailedTransfers(peers.client(), Peers.POSITION, Peers.LENGTH));
    peers.seeRefused(Errno.EIO);
    Bar cmb = Bar.of(peers.provider(), NvmeRegisters.CMB_BAR);
    List<TransferEvent> faults =
        transfers(nvme, client).stream().filter(t -> t.fault() != null).toList();
    unless(!faults.isEmpty(), "%s met no fault", client.port());
    for (TransferEvent fault : faults) {
      unless(
          cmb.contains(fault.faultAddress()),
          "%s was given 0x%x, and the CMB is at %s",
          client.port(),
          fault.faultAddress(),
          cmb);
    }
    return "%s was given bus address 0x%x, which QEMU's vIOMMU does not know: EIO, no byte moved"
        .formatted(client.port(), faults.getFirst().faultAddress());
  }

  /**
   * @param atBar whether the client is given addresses of the BAR rather than of its IOMMU
   */
  private static String moved(StockNvme nvme, Peers peers, NvmeController client, boolean atBar)
      throws Exception {
    peers.moveBytes();
    Bar cmb = Bar.of(peers.provider(), NvmeRegisters.CMB_BAR);
    // What goes by messages is a peer's: the guest's own memory is shared.
    List<TransferEvent> toPeer =
        transfers(nvme, client).stream().filter(t -> "messages".equals(t.path())).toList();
    unless(!toPeer.isEmpty(), "%s made no transfer to a peer", client.port());
    for (TransferEvent transfer : toPeer) {
      long address = address(transfer);
      unless(
          cmb.contains(address) == atBar,
          "%s was given 0x%x, and the CMB is at %s",
          client.port(),
          address,
          cmb);
    }
    return "%s was given 0x%x, an address of %s; the right bytes each way"
        .formatted(client.port(), address(toPeer.getLast()), atBar ? "the CMB's BAR" : "its IOMMU");
  }

  private static long address(TransferEvent transfer) {
    return transfer.source() != 0 ? transfer.source() : transfer.destination();
  }

  private static List<TransferEvent> transfers(StockNvme nvme, NvmeController client) {
    return nvme.run().lastTransfers("nvme-" + letter(client));
  }

  /**
   * Where a BAR is.
   *
   * @param first address
   * @param last address
   */
  private record Bar(long first, long last) {
    static Bar of(NvmeDisk disk, int number) throws IOException {
      PciDevice pci = disk.pci();
      String[] words =
          pci.system()
              .readText(pci.attribute("resource"))
              .lines()
              .toList()
              .get(number)
              .strip()
              .split(" ");
      return new Bar(Long.decode(words[0]), Long.decode(words[1]));
    }

    boolean contains(long address) {
      return address >= first && address <= last;
    }

    @Override
    public String toString() {
      return "0x%x to 0x%x".formatted(first, last);
    }
  }

  /** Between the endpoints that this process serves, each way. */
  static List<Scenario<?>> all() {
    return List.of(
        new RouteBetween("route-b-to-a", StockNvme::underTest, StockNvme::second),
        new RouteBetween("route-a-to-b", StockNvme::second, StockNvme::underTest));
  }
}
