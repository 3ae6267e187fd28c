package dev.peerbar.lab.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.Fio;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.scenario.Step;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Unbinding, resets and removal of the endpoint while it works. */
final class NvmeEndingSteps {
  private static final String DRIVER = "nvme";
  private static final int RESETS = 8;
  private static final int KILLED_BY_SIGBUS = 128 + 7;

  /** The driver says at warning level that it does as it was told. */
  private static final Pattern RESETTING = Pattern.compile("nvme nvme\\d+: resetting controller$");

  /** How long a program may take to notice that its device has gone. */
  private static final Duration LIMIT = Duration.ofSeconds(90);

  /** Requests that are to be completed before something happens to the device. */
  private static final long WARM = 200;

  /** Work on the endpoint's own disk without end, that checks all that it wrote. */
  private static final String[] CHECKED_WORK = {
    "name=work",
    "rw=randwrite",
    "bsrange=4k-64k",
    "iodepth=16",
    "size=64m",
    "time_based",
    "runtime=1000",
    "verify=crc32c",
    "verify_backlog=64",
    "verify_fatal=1"
  };

  /** Work without end. */
  private static final String[] ENDLESS = {
    "name=work",
    "rw=randrw",
    "bsrange=4k-128k",
    "iodepth=8",
    "size=64m",
    "time_based",
    "runtime=1000",
    // One process, which a signal ends as a whole.
    "thread"
  };

  private final NvmeSetting setting;
  private final NvmePeerSteps peer;

  NvmeEndingSteps(NvmeSetting setting, NvmePeerSteps peer) {
    this.setting = setting;
    this.peer = peer;
  }

  List<Step> steps() {
    return List.of(
        new Step(
            "f1",
            "unbind the driver and bind it again",
            "the disk goes and comes back with what was on it",
            this::rebind),
        new Step(
            "f2",
            "nvme reset while fio writes and verifies, %d times".formatted(RESETS),
            "fio sees no error, every block has its checksum",
            this::resetControllerUnderLoad),
        new Step(
            "f3",
            "reset the function through sysfs while fio writes and verifies, %d times"
                .formatted(RESETS),
            "fio sees no error, every block has its checksum",
            () -> resetUnderLoad(() -> setting.disk().pci().reset())),
        new Step(
            "f4",
            "unbind the driver while fio works on the disk",
            "fio ends with an error; bound again, the disk works",
            this::unbindUnderLoad),
        new Step(
            "f5",
            "remove the endpoint while a peer's disk works through its CMB, and rescan",
            "fio ends with an error or SIGBUS; found again, the CMB carries a peer's data",
            () -> removeUnderLoad(setting.underTest(), setting.second())),
        new Step(
            "f6",
            "remove the endpoint while its disk works through a peer's CMB, and rescan",
            "fio ends with an error; found again, the disk works through the peer's CMB",
            () -> removeUnderLoad(setting.second(), setting.underTest())));
  }

  private String rebind() throws Exception {
    NvmeDisk disk = setting.disk();
    disk.pci().unbind();
    unless(disk.pci().driver().isEmpty(), "still bound");
    unless(disk.state().equals("gone"), "%s is %s", disk.name(), disk.state());
    disk.pci().bind(DRIVER);
    String back = setting.disk().toString();
    return back + "; " + peer.pair(setting.underTest(), setting.underTest());
  }

  private String resetControllerUnderLoad() throws Exception {
    setting.lab().expect(line -> RESETTING.matcher(line).find());
    return resetUnderLoad(() -> {
      GuestProgram.Outcome reset = setting.disk().nvme("reset");
      unless(reset.status() == 0, "nvme reset: %s", reset);
    });
  }

  /** What happens to a device. */
  @FunctionalInterface
  private interface Reset {
    void perform() throws Exception;
  }

  private String resetUnderLoad(Reset reset) throws Exception {
    try (GuestProgram work = startOnDisk(CHECKED_WORK)) {
      for (int resets = 0; resets < RESETS; resets++) {
        awaitWork(setting.underTest());
        reset.perform();
      }
      awaitWork(setting.underTest());
      work.interrupt();
      Fio.Result result = Fio.result(work.finish(LIMIT));
      unless(result.goodUntilInterrupted(), "%s", result);
      return "%d resets, fio moved %.1f MiB".formatted(RESETS, result.bytes() / 1048576.0);
    }
  }

  private GuestProgram startOnDisk(String... options) throws Exception {
    List<String> all = new ArrayList<>();
    all.add("filename=" + setting.disk().path());
    all.addAll(List.of(options));
    return Fio.start(setting.guest(), all.toArray(String[]::new));
  }

  /** Waits until requests of a controller are completed. */
  private void awaitWork(NvmeController controller) throws Exception {
    NvmeDisk disk = setting.disk(controller);
    long enough = disk.completed() + WARM;
    long end = System.nanoTime() + LIMIT.toNanos();
    while (disk.completed() < enough) {
      unless(System.nanoTime() < end, "%s does nothing", disk);
    }
  }

  private String unbindUnderLoad() throws Exception {
    try (GuestProgram work = startOnDisk(ENDLESS)) {
      awaitWork(setting.underTest());
      PciDevice pci = setting.disk().pci();
      long start = System.nanoTime();
      pci.unbind();
      String end = ending(work, start);
      pci.bind(DRIVER);
      peer.pair(setting.underTest(), setting.underTest());
      return end;
    }
  }

  /** How a program ended that must not have ended well. */
  private static String ending(GuestProgram work, long start) throws Exception {
    GuestProgram.Outcome outcome = work.finish(LIMIT);
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    Fio.Result result = Fio.result(outcome);
    unless(!result.good(), "fio noticed nothing: %s", result);
    String why =
        outcome.status() == KILLED_BY_SIGBUS
            ? "fio: SIGBUS"
            : outcome.err().lines().findFirst().orElse("fio: status " + outcome.status());
    return "after %d ms %s".formatted(took.toMillis(), why);
  }

  private String removeUnderLoad(NvmeController provider, NvmeController client) throws Exception {
    try (GuestProgram work = peer.startThroughMemory(provider, client, ENDLESS)) {
      awaitWork(client);
      PciDevice pci = setting.disk().pci();
      long start = System.nanoTime();
      pci.remove();
      String end = ending(work, start);
      setting.guest().rescanPci();
      peer.pair(provider, client);
      peer.pair(client, provider);
      return end;
    }
  }
}
