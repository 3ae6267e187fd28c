package dev.peerbar.scenario.tour;

import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.scenario.flr.StockUnderLoad;
import dev.peerbar.scenario.life.StockControllerReset;
import dev.peerbar.scenario.life.StockRebind;
import dev.peerbar.scenario.life.StockRemoveUnderLoad;
import dev.peerbar.scenario.life.StockUnbindUnderLoad;
import dev.peerbar.scenario.p2pmem.FioThroughMemory;
import dev.peerbar.scenario.p2pmem.OtherDisks;
import dev.peerbar.scenario.p2pmem.OwnDisk;
import dev.peerbar.scenario.p2pmem.Publish;
import dev.peerbar.scenario.p2pmem.RefusedByBridge;
import dev.peerbar.scenario.p2pmem.Unreachable;
import dev.peerbar.scenario.stock.BindAtBoot;
import dev.peerbar.scenario.stock.Blocks;
import dev.peerbar.scenario.stock.FileSystem;
import dev.peerbar.scenario.stock.Identify;
import dev.peerbar.scenario.stock.Logs;
import dev.peerbar.scenario.stock.Refusals;
import dev.peerbar.scenario.stock.Speed;
import dev.peerbar.scenario.stock.Verify;
import dev.peerbar.scenario.stock.VerifyOneByOne;
import dev.peerbar.scenario.tour.Tour.Stop;
import java.util.ArrayList;
import java.util.List;

/** NVMe endpoints under the guest's own driver, which lend each other their memory. */
final class StockNvmeTours {
  private static final String END =
      "after this step as after every other: no error, WARN or BUG in the guest's kernel log or"
          + " from QEMU";

  private StockNvmeTours() {}

  static List<Tour<?>> on(String topology) {
    return StockNvme.KIND.settings(topology).stream().<Tour<?>>map(StockNvmeTours::in).toList();
  }

  /** Speed beside that of QEMU's own nvme, for minutes. */
  static Tour<StockNvme> speed(boolean polled) {
    return tour(
        "one switch, an AMD CPU: speed beside QEMU's nvme" + (polled ? ", polled" : ""),
        StockNvme.forSpeed(polled),
        List.of(bind(BindAtBoot.Interrupts.MESSAGES), Stop.of("g", Speed.measurement())));
  }

  private static Tour<StockNvme> in(Setting setting) {
    if (StockNvme.isForEverything(setting)) {
      return tour(
          "one switch, an Intel CPU: everything; peer-to-peer DMA turns at the switch",
          setting,
          everything());
    }
    if (!StockNvme.hasMessages(setting)) {
      return tour(
          "one switch, one AMD CPU, no MSI: interrupts by pin",
          setting,
          List.of(bind(BindAtBoot.Interrupts.PIN), Stop.of("d", new VerifyOneByOne())));
    }
    List<Stop<StockNvme>> stops = new ArrayList<>();
    stops.add(bind(BindAtBoot.Interrupts.MESSAGES));
    if (StockNvme.peersReachEachOther(setting)) {
      stops.addAll(peers());
      return tour(
          setting.topology()
              + ", an AMD CPU: peer-to-peer DMA that passes the host bridge is allowed",
          setting,
          stops);
    }
    stops.addAll(refusedPeers());
    return tour(
        setting.topology()
            + ", an Intel CPU: the kernel lets no peer-to-peer DMA through this host bridge",
        setting,
        stops);
  }

  private static Tour<StockNvme> tour(
      String headline, Setting setting, List<Stop<StockNvme>> stops) {
    return new Tour<>("nvme on " + headline, StockNvme.KIND, setting, stops, END);
  }

  private static Stop<StockNvme> bind(BindAtBoot.Interrupts interrupts) {
    return Stop.of("a", new BindAtBoot(interrupts));
  }

  private static List<Stop<StockNvme>> everything() {
    List<Stop<StockNvme>> stops = new ArrayList<>();
    stops.add(bind(BindAtBoot.Interrupts.MESSAGES));
    stops.add(Stop.of("b1", new Identify()));
    stops.add(Stop.of("b2", new Logs()));
    stops.add(Stop.of("b3", new Blocks()));
    stops.add(Stop.of("b4", new Refusals()));
    stops.add(Stop.of("c", new FileSystem()));
    stops.add(Stop.of("d", new Verify()));
    stops.addAll(peers());
    stops.add(Stop.of("f1", new StockRebind()));
    stops.add(Stop.of("f2", new StockControllerReset()));
    stops.add(Stop.of("f3", new StockUnderLoad()));
    stops.add(Stop.of("f4", new StockUnbindUnderLoad()));
    stops.add(Stop.of("f5", new StockRemoveUnderLoad(StockRemoveUnderLoad.Role.PROVIDER)));
    stops.add(Stop.of("f6", new StockRemoveUnderLoad(StockRemoveUnderLoad.Role.CLIENT)));
    stops.add(Stop.of("g", Speed.glance()));
    return stops;
  }

  private static List<Stop<StockNvme>> peers() {
    return List.of(
        Stop.of("e1", new Publish()),
        Stop.of("e2", new OwnDisk()),
        again(
            "e3",
            "the same on the disks of a second endpoint and of QEMU's, and through the second's"
                + " CMB",
            "the right bytes each way, for all of these pairs",
            new OtherDisks()),
        Stop.of("e4", new FioThroughMemory()),
        again(
            "e5",
            "the same on the endpoint's disk through the CMB of QEMU's, to which QEMU gives no"
                + " server a way",
            "EIO, and no byte moves",
            new Unreachable()));
  }

  private static List<Stop<StockNvme>> refusedPeers() {
    return List.of(
        Stop.of("e1", new Publish()),
        Stop.of("e2", new OwnDisk()),
        again(
            "e3",
            "the same on the disks of a second endpoint and of QEMU's, and through their CMBs",
            "EINVAL each time, and no byte moves: the kernel does not know the host bridge",
            new RefusedByBridge()));
  }

  /** A stop in words that go on from the stop before it. */
  private static Stop<StockNvme> again(
      String id, String title, String expected, Scenario<StockNvme> scenario) {
    return new Stop<>(id, title, expected, scenario);
  }
}
