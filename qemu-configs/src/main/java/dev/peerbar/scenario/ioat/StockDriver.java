package dev.peerbar.scenario.ioat;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.KernelLogMark;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.ioat.StockIoat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The kernel's ioatdma, and its tester. */
final class StockDriver {
  private static final String CLASS = "/sys/class/dma";
  private static final String TESTER = "/sys/module/dmatest/parameters/";
  private static final String DRIVER = "ioatdma";
  private static final int THREADS = 2;
  private static final int TRANSFERS = 100_000;

  /** Each transfer is mapped and unmapped, of which QEMU tells the endpoint. */
  private static final int BEHIND_IOMMU = 10_000;

  /** The longest transfer: the guest's processors take longer to look at bytes than B to copy. */
  private static final int BUFFER = 1024;

  /** Each thread's last line. */
  private static final Pattern SUMMARY =
      Pattern.compile(
          "dmatest: (?<thread>\\S+): summary (?<tests>\\d+) tests, (?<failures>\\d+) failures"
              + " (?<rest>.*)$");

  /** A thread of the guest did not run for 0.2 s between the calls that submit and that issue. */
  private static final String NOT_ISSUED = "Completion timeout with pending descriptors";

  private StockDriver() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
            StockIoat.KIND,
            "ioat.bind",
            "unbind ioatdma and bind it again",
            "its self-test passes, and it has a channel for each of the endpoints'",
            StockDriver::bind),
        Case.on(
            StockIoat.KIND,
            "ioat.dmatest",
            "have dmatest make %,d transfers on all channels, %d threads each (%,d behind an IOMMU)"
                .formatted(TRANSFERS, THREADS, BEHIND_IOMMU),
            "0 failures",
            StockDriver::test));
  }

  private static List<String> channels(StockIoat ioat, PciDevice pci) throws Exception {
    GuestSystem system = ioat.lab().guest().system();
    return system.exists(pci.attribute("dma")) ? system.list(pci.attribute("dma")) : List.of();
  }

  private static void check(StockIoat ioat, PciDevice pci, int expected) throws Exception {
    Optional<String> driver = pci.driver();
    unless(driver.equals(Optional.of(DRIVER)), "%s has the driver %s", pci, driver);
    List<String> channels = channels(ioat, pci);
    unless(channels.size() == expected, "%s has the channels %s", pci, channels);
  }

  private static String bind(StockIoat ioat) throws Exception {
    check(ioat, ioat.a(), 1);
    check(ioat, ioat.b(), StockIoat.CHANNELS);
    for (PciDevice pci : List.of(ioat.a(), ioat.b())) {
      pci.unbind();
      unless(channels(ioat, pci).isEmpty(), "%s has channels without a driver", pci);
      pci.bind(DRIVER);
    }
    check(ioat, ioat.a(), 1);
    check(ioat, ioat.b(), StockIoat.CHANNELS);
    return String.join(", ", ioat.lab().guest().system().list(CLASS));
  }

  private static String test(StockIoat ioat) throws Exception {
    ioat.run().mayComplain(line -> line.endsWith(NOT_ISSUED));
    GuestSystem system = ioat.lab().guest().system();
    List<String> channels = system.list(CLASS);
    int threads = THREADS * channels.size();
    boolean mapped = !ioat.lab().guest().iommus().isEmpty();
    int each = (mapped ? BEHIND_IOMMU : TRANSFERS) / threads;
    system.writeText(TESTER + "iterations", Integer.toString(each));
    system.writeText(TESTER + "test_buf_size", Integer.toString(BUFFER));
    system.writeText(TESTER + "threads_per_chan", Integer.toString(THREADS));
    for (String channel : channels) {
      system.writeText(TESTER + "channel", channel);
    }
    KernelLogMark mark = ioat.lab().guest().markKernelLog("dmatest begins");
    system.writeText(TESTER + "run", "1");
    // A read of it ends when the test does.
    system.readText(TESTER + "wait");
    List<Matcher> lines =
        mark.since().stream().map(SUMMARY::matcher).filter(Matcher::find).toList();
    system.writeText(TESTER + "run", "0");
    unless(lines.size() == threads, "%d threads have ended of %d", lines.size(), threads);
    for (Matcher line : lines) {
      unless(
          line.group("failures").equals("0") && Integer.parseInt(line.group("tests")) == each,
          "%s",
          line.group());
    }
    return "%d threads; %s".formatted(threads, lines.getFirst().group());
  }
}
