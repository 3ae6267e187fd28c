package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.Argument;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.KernelLogMark;
import dev.peerbar.lab.guest.KernelReport;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.Syscall;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import java.io.IOException;
import java.util.List;

/**
 * A DMABUF whose file has gone while its path has not: vfio-pci forgets it only with the path
 * (d_release), and looks at the file until then. Linux 7.3 uses it after it was freed, which its
 * address sanitizer tells if it has one.
 */
final class PathAlias {
  private static final long LENGTH = 1L << 20;
  private static final int MEMBARRIER_CMD_GLOBAL = 1;

  /** Grace periods until memory that is freed by RCU, and poisoned by RCU then, is for certain. */
  private static final int GRACE_PERIODS = 4;

  private static final java.util.regex.Pattern TAINT =
      java.util.regex.Pattern.compile("Disabling lock debugging due to kernel taint$");

  /** What reads the file of each DMABUF that vfio-pci knows. */
  private static final List<String> READERS =
      List.of("vfio_pci_dma_buf_move", "vfio_pci_dma_buf_cleanup");

  private PathAlias() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "dmabuf.export.path-alias-reset",
                "close a DMABUF whose path is still open (O_PATH), then reset A",
                "the reset works and A's memory is as it was; KASAN may tell of the file that"
                    + " has gone",
                pair -> close(pair, PathAlias::reset))
            .needing(GuestFeature.DMABUF_EXPORT),
        Case.on(
                HbmPair.KIND,
                "dmabuf.export.path-alias-close",
                "close a DMABUF whose path is still open (O_PATH), then close A",
                "A can be opened again and works; KASAN may tell of the file that has gone",
                pair -> close(pair, PathAlias::closeDevice))
            .needing(GuestFeature.DMABUF_EXPORT));
  }

  private interface Deed {
    void on(HbmPair pair) throws Exception;
  }

  private static String close(HbmPair pair, Deed deed) throws Exception {
    Guest guest = pair.guest();
    Pattern.fill(pair.memoryOfA().asSlice(0, LENGTH), pair.run().seed());
    KernelLogMark mark = guest.markKernelLog("a path of a DMABUF");
    DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH);
    int path = guest.system().open("/proc/self/fd/" + dmaBuf.fd(), OpenFlag.PATH);
    try {
      dmaBuf.close();
      for (int i = 0; i < GRACE_PERIODS; i++) {
        guest
            .agent()
            .syscall(
                Syscall.MEMBARRIER,
                Argument.of(MEMBARRIER_CMD_GLOBAL),
                Argument.of(0),
                Argument.of(0));
      }
      deed.on(pair);
    } finally {
      guest.system().close(path);
    }
    return reported(pair, mark);
  }

  private static void reset(HbmPair pair) throws Exception {
    int resets = pair.a().read(HbmRegisters.RESET_COUNT);
    pair.deviceA().vfio().reset();
    int after = pair.a().read(HbmRegisters.RESET_COUNT);
    unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
    check(pair, pair.deviceA().vfio());
  }

  private static void closeDevice(HbmPair pair) throws Exception {
    pair.deviceA().close();
    check(pair, pair.open(pair.deviceA().vfio().pci()).vfio());
  }

  private static void check(HbmPair pair, VfioDevice vfio) throws Exception {
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      var seen = bar.verifyPattern(0, LENGTH, pair.run().seed());
      unless(seen.isEmpty(), "not what A's memory had: %s", seen);
    }
    vfio.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH).close();
  }

  /** What the kernel said; only reports of this are its to make. */
  private static String reported(HbmPair pair, KernelLogMark mark) throws IOException {
    List<KernelReport> known =
        KernelReport.in(mark.since()).stream()
            .filter(report -> READERS.stream().anyMatch(report::names))
            .toList();
    known.forEach(report -> pair.run().mayComplain(report::has));
    if (known.isEmpty()) {
      return "the kernel reports nothing";
    }
    pair.run().mayComplain(line -> TAINT.matcher(line).find());
    pair.run().record("reports of the sanitizer", known.size());
    return "known use-after-free reported: "
        + String.join(", ", known.stream().map(KernelReport::title).distinct().toList());
  }
}
