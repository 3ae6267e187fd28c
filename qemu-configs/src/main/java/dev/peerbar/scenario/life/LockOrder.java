package dev.peerbar.scenario.life;

import dev.peerbar.lab.guest.GuestGoneException;
import dev.peerbar.lab.guest.KernelLogMark;
import dev.peerbar.lab.guest.KernelReport;
import dev.peerbar.scenario.fixture.HbmPair;
import java.io.IOException;
import java.util.List;

/**
 * What a kernel that watches its locks says of its own hot plug: Linux 7.3 takes a slot's reset
 * lock again while it holds that of rescans ({@code pciehp_configure_device}). It says so once a
 * boot, whatever was plugged in, and watches no more.
 */
final class LockOrder implements AutoCloseable {
  private static final String WHERE = "pciehp_configure_device";

  private final HbmPair pair;
  private final KernelLogMark mark;

  private LockOrder(HbmPair pair, KernelLogMark mark) {
    this.pair = pair;
    this.mark = mark;
  }

  /** From now until this is closed it may be said, and is counted. */
  static LockOrder mayBeTold(HbmPair pair) throws IOException {
    return new LockOrder(pair, pair.guest().markKernelLog("a slot of hot plug"));
  }

  @Override
  public void close() throws IOException {
    List<KernelReport> known =
        KernelReport.in(logged()).stream().filter(report -> report.names(WHERE)).toList();
    known.forEach(report -> pair.run().mayComplain(report::has));
    if (!known.isEmpty()) {
      pair.run().record("reports of pciehp's lock order", known.size());
    }
  }

  private List<String> logged() throws IOException {
    try {
      return mark.since();
    } catch (GuestGoneException e) {
      List<String> console = pair.lab().qemu().console();
      return console.subList(mark.in(console).orElse(-1) + 1, console.size());
    }
  }
}
