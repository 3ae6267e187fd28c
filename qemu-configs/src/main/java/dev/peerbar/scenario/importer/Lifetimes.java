package dev.peerbar.scenario.importer;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.drm.DrmDevice;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.guest.ResetMethod;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.Pending;
import dev.peerbar.scenario.fixture.Refused;
import dev.peerbar.scenario.fixture.gpu.HbmAndGpu;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Who lets go first: exporter, DMABUF, handle, card, or the card's driver. */
final class Lifetimes {
  /** How long a reset may take on a machine that is busy with other things. */
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  /** {@code O_CLOEXEC | O_RDWR}. */
  private static final int READ_WRITE = 02000002;

  private Lifetimes() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmAndGpu.KIND,
                "importer.orders",
                "import A's memory, and close function, DMABUF, handle and card in every order",
                "nothing is left, and what was not revoked is not missed",
                Lifetimes::orders)
            .only(HbmAndGpu::isUsual),
        Case.on(
                HbmAndGpu.KIND,
                "importer.two",
                "import A's memory into an IOAS too, and reset A",
                "the card is given it anew, the IOAS is not",
                Lifetimes::two)
            .needing(GuestFeature.DMABUF_IMPORT)
            .only(HbmAndGpu::reaches),
        Case.on(
                HbmAndGpu.KIND,
                "importer.close-exporter",
                "close A while its memory is shown, and open it again",
                "it cannot be flushed any more, a new import is shown",
                pair -> gone(pair, _ -> {}))
            .only(HbmAndGpu::reaches),
        Case.on(
                HbmAndGpu.KIND,
                "importer.unbind-exporter",
                "close A while its memory is shown, unbind it and bind it again",
                "it cannot be flushed any more, a new import is shown",
                pair ->
                    gone(
                        pair,
                        pci -> {
                          pci.unbind();
                          pci.bindVfio();
                        }))
            .only(HbmAndGpu::reaches),
        Case.on(
                HbmAndGpu.KIND,
                "importer.remove-exporter",
                "close A while its memory is shown, have the kernel forget it and find it again",
                "it cannot be flushed any more, a new import is shown",
                Lifetimes::removed)
            .only(HbmAndGpu::reaches),
        Case.on(
                HbmAndGpu.KIND,
                "importer.leak",
                "close the card with its handle and its framebuffer, and reset A",
                "they are given back, and nothing holds up the reset",
                Lifetimes::leaked)
            .only(HbmAndGpu::reaches),
        Case.on(
                HbmAndGpu.KIND,
                "importer.unbind-importer",
                "unbind the card's driver while A's memory is shown, and reset A",
                "the reset waits for nobody; in Linux 7.3 it waits for ever for the card's answer",
                pair -> withoutCard(pair, PciDevice::unbind))
            .only(HbmAndGpu::reaches)
            .spendingGuest(),
        Case.on(
                HbmAndGpu.KIND,
                "importer.reset-importer",
                "reset the card by sysfs while A's memory is shown, and reset A",
                "the reset waits for nobody; in Linux 7.3 it waits for ever for the card's answer",
                pair -> withoutCard(pair, ResetMethod.FLR::reset))
            .only(HbmAndGpu::reaches)
            .spendingGuest(),
        Case.on(
                HbmAndGpu.KIND,
                "importer.ranges",
                "import three ranges of A's memory as one DMABUF, and show it",
                "the picture is put together of them; behind an IOMMU Linux 7.3 says EADDRINUSE",
                Lifetimes::ranges)
            .only(setting -> HbmAndGpu.reaches(setting) || HbmAndGpu.isPassthrough(setting)),
        Case.on(
                HbmAndGpu.KIND,
                "importer.rights",
                "import by a render node, and set modes there and by a second master",
                "the import works, the modes are refused until the first has dropped its rights",
                Lifetimes::rights)
            .only(HbmAndGpu::isUsual));
  }

  // ---- Who closes first

  private enum Part {
    FUNCTION,
    DMABUF,
    HANDLE,
    CARD
  }

  private static String orders(HbmAndGpu pair) throws Exception {
    PciDevice pci = pair.device().vfio().pci();
    pair.device().close();
    List<List<Part>> orders = permutations(List.of(Part.values()));
    for (List<Part> order : orders) {
      close(pair, pci, order);
    }
    return "%d orders".formatted(orders.size());
  }

  /** What is not closed here is when the scenario is over. */
  private static void close(HbmAndGpu pair, PciDevice pci, List<Part> order) throws Exception {
    GuestDevice function = pair.open(pci);
    DrmDevice card = pair.openCard();
    DmaBuf exported = pair.exportToCard(function, Shown.LENGTH);
    int handle = card.importDmaBuf(exported.fd());
    for (Part part : order) {
      switch (part) {
        case FUNCTION -> function.close();
        case DMABUF -> exported.close();
        case CARD -> card.close();
        case HANDLE -> {
          // A card takes its handles with it.
          if (order.indexOf(Part.CARD) > order.indexOf(Part.HANDLE)) {
            card.closeHandle(handle);
          }
        }
      }
    }
  }

  private static <T> List<List<T>> permutations(List<T> all) {
    if (all.isEmpty()) {
      return List.of(List.of());
    }
    List<List<T>> permutations = new ArrayList<>();
    for (T first : all) {
      List<T> rest = new ArrayList<>(all);
      rest.remove(first);
      for (List<T> after : permutations(rest)) {
        List<T> one = new ArrayList<>(List.of(first));
        one.addAll(after);
        permutations.add(one);
      }
    }
    return permutations;
  }

  private static String two(HbmAndGpu pair) throws Exception {
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      Ioas.Mapping mapping = pair.ioas().mapFile(shown.exported());
      pair.device().reset();
      shown.showAnother();
      pair.ioas().unmap(mapping);
      Ioas.Mapping again = pair.ioas().mapFile(shown.exported());
      pair.ioas().unmap(again);
    }
    return "both, and after the reset again";
  }

  // ---- The exporter goes

  /** Something that is done to a function. */
  @FunctionalInterface
  private interface Doing {
    void to(PciDevice pci) throws IOException;
  }

  private static String gone(HbmAndGpu pair, Doing then) throws Exception {
    PciDevice pci = pair.device().vfio().pci();
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      pair.device().close();
      then.to(pci);
      shown.checkCutOff();
    }
    return again(pair, pci);
  }

  private static String removed(HbmAndGpu pair) throws Exception {
    PciDevice pci = pair.device().vfio().pci();
    try (Shown shown = Shown.begin(pair, pair.run().seed())) {
      pair.device().close();
      pci.remove();
      shown.checkCutOff();
    }
    pair.guest().rescanPci();
    return again(pair, pair.guest().pci(pci.address()));
  }

  private static String again(HbmAndGpu pair, PciDevice pci) throws Exception {
    try (GuestDevice function = pair.open(pci);
        Shown _ = Shown.begin(pair, function, pair.run().seed() + 1)) {
      return "%d reads".formatted(Shown.reads(pair).size());
    }
  }

  // ---- The importer goes

  private static String leaked(HbmAndGpu pair) throws Exception {
    Shown shown = Shown.begin(pair, pair.run().seed());
    shown.abandon();
    pair.device().reset();
    try (Shown _ = Shown.begin(pair, pair.run().seed() + 1)) {
      return "shown again";
    }
  }

  /**
   * A reset of A when the card can answer nothing any more. Linux 7.3 queues no command if the
   * driver has gone (virtio_gpu_queue_ctrl_sgs), and is told nothing of a reset of the card, which
   * has forgotten its queues; in both cases it waits for the fence of the detach
   * (virtio_gpu_detach_object_fenced) as long as somebody has the card open.
   */
  private static String withoutCard(HbmAndGpu pair, Doing losing) throws Exception {
    Shown.begin(pair, pair.run().seed());
    losing.to(pair.card());
    Pending reset = Pending.start("reset of A", () -> pair.device().vfio().reset());
    try {
      reset.await(PATIENCE);
      return "the reset waits for nobody";
    } catch (IOException e) {
      unless(!reset.isOver(), "the reset fails: %s", e.getMessage());
    }
    String where =
        reset.awaitWithin(pair.guest(), "virtio_gpu_detach_object_fenced", PATIENCE).orElse("it");
    return "known: the reset waits in %s for an answer that does not come".formatted(where);
  }

  // ---- What is imported, and by whom

  private static String ranges(HbmAndGpu pair) throws Exception {
    long part = 2L << 20;
    // Not in the order of their addresses.
    List<VfioRegionDmaRange> ranges =
        List.of(
            new VfioRegionDmaRange(8 * part, part),
            new VfioRegionDmaRange(0, part),
            new VfioRegionDmaRange(3 * part, part));
    pair.allowNotes();
    try (DrmDevice card = pair.openCard();
        DmaBuf exported =
            pair.device()
                .vfio()
                .exportDmabuf(VfioPciRegion.bar(HbmRegisters.MEMORY_BAR), READ_WRITE, ranges)) {
      Drawing drawing = Drawing.of(Shown.WIDTH, Shown.HEIGHT, pair.run().seed());
      byte[] bytes = drawing.bytes(Shown.PITCH);
      for (int i = 0; i < ranges.size(); i++) {
        int from = (int) (i * part);
        int length = (int) Math.min(part, bytes.length - from);
        if (length > 0) {
          pair.device()
              .bar(HbmRegisters.MEMORY_BAR)
              .write(ranges.get(i).offset(), Arrays.copyOfRange(bytes, from, from + length));
        }
      }
      DrmDevice.Output output = card.outputs().getFirst();
      int handle;
      try {
        handle = card.importDmaBuf(exported.fd());
      } catch (GuestErrnoException e) {
        // dma_buf_phys_vec_to_sgt links each range at the IOVA of the first.
        unless(
            e.is(Errno.EADDRINUSE) && pair.isTranslated(), "the import fails: %s", e.getMessage());
        return "known: EADDRINUSE";
      }
      int framebuffer = card.addFramebuffer(handle, Shown.WIDTH, Shown.HEIGHT, Shown.PITCH, 0);
      card.show(output, framebuffer);
      drawing.await(pair);
      card.disable(output);
    }
    return "%d ranges of %d MiB".formatted(ranges.size(), part >> 20);
  }

  private static String rights(HbmAndGpu pair) throws Exception {
    try (DrmDevice master = pair.openCard();
        DrmDevice second = pair.openCard();
        DrmDevice render = pair.openRenderNode();
        DmaBuf exported = pair.exportToCard(Shown.LENGTH)) {
      render.closeHandle(render.importDmaBuf(exported.fd()));
      DrmDevice.Output output = master.outputs().getFirst();
      Refused.with(Errno.EACCES, "a mode by the render node", () -> render.disable(output));
      Refused.with(Errno.EACCES, "a mode by who is not the master", () -> second.disable(output));
      master.dropMaster();
      second.setMaster();
      second.disable(output);
      Refused.with(
          Errno.EACCES, "a mode by who has dropped his rights", () -> master.disable(output));
    }
    return "EACCES";
  }
}
