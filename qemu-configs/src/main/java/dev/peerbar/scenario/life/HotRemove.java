package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.boot.RefusedAccesses;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.qemu.HotPlug;
import dev.peerbar.lab.qemu.Qmp;
import dev.peerbar.lab.uapi.VfioIrqSet;
import dev.peerbar.lab.uapi.VfioPciIrq;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.server.EndpointServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** An endpoint that was plugged into a guest that runs is unplugged again. */
final class HotRemove {
  private static final int QUEUED = 24;

  private HotRemove() {}

  static List<Scenario<?>> all() {
    return List.of(
        removing(
            "life.hot-remove",
            "ask for C's removal (device_del) while B copies into its memory, plug it in again",
            "its driver is asked, B faults when it lets go, C goes; plugged in again it works",
            HotRemove::whileCopying),
        removing(
            "life.slot-power",
            "turn off the power of C's slot by sysfs, plug C in again",
            "C goes, from QEMU too; plugged in again it works",
            HotRemove::byPower));
  }

  /** What is done to an endpoint at a socket that can be unplugged. */
  @FunctionalInterface
  private interface Body {
    String run(HbmPair pair, ThirdEndpoint c) throws Exception;
  }

  private static Scenario<?> removing(String name, String does, String expects, Body body) {
    return Case.on(HbmPair.HOT_PLUG, name, does, expects, pair -> run(pair, body))
        .needing(HotPlugging.NATIVE, HotPlugging.REMOVAL, GuestFeature.DMABUF_IMPORT)
        .spendingGuest();
  }

  private static String run(HbmPair pair, Body body) throws Exception {
    Path directory = Files.createTempDirectory("peerbar-");
    Path socket = directory.resolve("c.sock");
    try (EndpointServer _ = HotAdd.serve(socket);
        LockOrder _ = LockOrder.mayBeTold(pair)) {
      pair.run().mayComplain(new LostServer(socket));
      String saw = body.run(pair, ThirdEndpoint.plugIn(pair, socket));
      awaitGone(pair);
      ThirdEndpoint.plugIn(pair, socket).checkWorks();
      return saw;
    } finally {
      Files.deleteIfExists(directory);
    }
  }

  private static String whileCopying(HbmPair pair, ThirdEndpoint c) throws Exception {
    DmaRange out = pair.allocate(ThirdEndpoint.BAR_SIZE, 0);
    Initiator b = pair.initiator();
    long at;
    try (EventFd requests = pair.guest().eventFd();
        Import ofC = c.importMemory()) {
      pair.run()
          .mayComplain(
              RefusedAccesses.writes(pair.deviceB().vfio().pci(), ofC.iova(), ofC.length()));
      c.device().vfio().setIrqs(new VfioIrqSet(VfioPciIrq.REQ, 0, List.of(requests.fd())));
      Descriptor copy = Initiator.copying(out.iova(), ofC.iova(), out.length());
      b.copy(out.iova(), ofC.iova(), out.length());
      try (Qmp monitor = pair.lab().qemu().monitor()) {
        new HotPlug(monitor).remove(ThirdEndpoint.ID);
      }
      unless(requests.await(ThirdEndpoint.LIMIT) > 0, "C's driver was not asked to let go");
      Descriptor[] copies = new Descriptor[QUEUED];
      Arrays.fill(copies, copy);
      b.channel().submit(copies);
      c.device().close();
      // If all copies were over before, this is the one that meets it.
      b.channel().submit(copy);
      b.awaitFault();
      at = pair.b().faultAddress() - ofC.iova();
      int error = b.channel().error();
      unless(
          error == ErrorCode.WRITE_FAULT.code() && at >= 0 && at < ofC.length(),
          "error %d at 0x%x of the import",
          error,
          at);
    }
    b.restart();
    return "asked, then a fault at 0x%x of the import".formatted(at);
  }

  private static String byPower(HbmPair pair, ThirdEndpoint c) throws Exception {
    c.checkWorks();
    c.device().close();
    pair.guest()
        .system()
        .writeText("/sys/bus/pci/slots/%d/power".formatted(ThirdEndpoint.SLOT), "0");
    return "the slot is empty";
  }

  /** Waits until neither the guest nor QEMU has it. */
  private static void awaitGone(HbmPair pair) throws Exception {
    long end = System.nanoTime() + ThirdEndpoint.LIMIT.toNanos();
    try (Qmp monitor = pair.lab().qemu().monitor()) {
      HotPlug hotPlug = new HotPlug(monitor);
      while (hotPlug.has(ThirdEndpoint.ID)
          || pair.guest().findInSlot(ThirdEndpoint.SLOT).isPresent()) {
        unless(System.nanoTime() < end, "C is still there");
      }
    }
  }
}
