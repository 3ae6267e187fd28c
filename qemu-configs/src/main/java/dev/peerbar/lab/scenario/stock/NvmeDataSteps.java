package dev.peerbar.lab.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.Fio;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestProgram.Outcome;
import dev.peerbar.lab.scenario.Step;
import java.util.List;

/** A file system and fio's verification: every byte that was written is read again. */
final class NvmeDataSteps {
  private static final String MOUNTED = "/mnt";
  private static final String FILES = MOUNTED + "/files";

  /** What is copied into the file system: thousands of small files, and large ones. */
  private static final String SOURCE = "/usr/sbin";

  private static final String FILE_SYSTEM_SIZE = "192M";

  private final NvmeSetting setting;

  NvmeDataSteps(NvmeSetting setting) {
    this.setting = setting;
  }

  List<Step> steps() {
    return List.of(
        new Step(
            "c",
            "ext4 is made, mounted, filled to the last block, unmounted, mounted again",
            "all files are as they were, e2fsck finds nothing, fstrim trims",
            this::fileSystem),
        verify());
  }

  Step verify() {
    return new Step(
        "d",
        "fio --verify=crc32c: random, sequential, mixed; 512 bytes to 128 KiB; 1 to 4 jobs",
        "every block that was written has its checksum when it is read",
        this::verified);
  }

  /**
   * For interrupts by pin, in a guest of one processor: one command at a time. QEMU lowers a pin of
   * a vfio-user device when the guest accesses one of its BARs, whatever for. If that is to submit
   * a command while the last one's completion waits, the endpoint raises the pin again, and nothing
   * lowers it: the driver accesses no BAR in an interrupt for which it finds no completion.
   */
  Step verifyOneByOne() {
    return new Step(
        "d",
        "fio --verify=crc32c, one command at a time",
        "every block that was written has its checksum when it is read",
        this::verifiedOneByOne);
  }

  private String verifiedOneByOne() throws Exception {
    Fio.Result result =
        Fio.run(
            setting.guest(),
            "name=pin",
            "filename=" + setting.disk().path(),
            "verify=crc32c",
            "verify_fatal=1",
            "rw=randwrite",
            "bsrange=512-64k",
            "size=8m",
            "iodepth=1");
    unless(result.good(), "%s", result);
    return "moved %.1f MiB".formatted(result.bytes() / 1048576.0);
  }

  private String fileSystem() throws Exception {
    NvmeDisk disk = setting.disk();
    run("mkfs.ext4", "-q", "-F", disk.path(), FILE_SYSTEM_SIZE);
    run("mount", disk.path(), MOUNTED);
    run("cp", "-r", SOURCE, FILES);
    Outcome fill = setting.guest().run("dd", "if=/dev/zero", "of=/mnt/fill", "bs=1M");
    unless(
        fill.status() != 0 && fill.err().contains("No space left on device"),
        "the file system did not fill up: %s",
        fill);
    run("sync");
    run("umount", MOUNTED);
    run("e2fsck", "-f", "-n", disk.path());
    run("mount", disk.path(), MOUNTED);
    run("busybox", "diff", "-r", SOURCE, FILES);
    run("busybox", "cmp", "-n", "67108864", "/mnt/fill", "/dev/zero");
    run("rm", "/mnt/fill");
    // Blocks are free when the journal says so.
    run("sync");
    String trimmed = run("fstrim", "-v", MOUNTED).out().strip();
    run("busybox", "diff", "-r", SOURCE, FILES);
    run("umount", MOUNTED);
    run("e2fsck", "-f", "-n", disk.path());
    return "filled with %s; %s".formatted(lastLine(fill.err()), trimmed);
  }

  private static String lastLine(String text) {
    return text.lines().reduce("", (_, line) -> line);
  }

  private Outcome run(String... words) throws Exception {
    Outcome outcome = setting.guest().run(words);
    unless(outcome.status() == 0, "%s: %s", String.join(" ", words), outcome);
    return outcome;
  }

  private String verified() throws Exception {
    NvmeDisk disk = setting.disk();
    Fio.Result result =
        Fio.run(
            setting.guest(),
            "filename=" + disk.path(),
            "verify=crc32c",
            "verify_fatal=1",
            "group_reporting=0",
            // Each job has blocks of its own.
            "offset_increment=32m",
            "name=depth-1",
            "rw=randwrite",
            "bs=4k",
            "size=2m",
            "iodepth=1",
            "name=random",
            "stonewall",
            "rw=randwrite",
            "bs=4k",
            "size=8m",
            "iodepth=32",
            "numjobs=2",
            "name=sequential",
            "stonewall",
            "rw=write",
            "bs=128k",
            "size=32m",
            "iodepth=8",
            "name=mixed",
            "stonewall",
            "rw=randrw",
            "bsrange=512-128k",
            "bs_unaligned=0",
            "size=8m",
            "iodepth=16",
            "numjobs=4");
    unless(result.good(), "%s", result);
    return "%d jobs moved %.1f MiB".formatted(result.jobs().size(), result.bytes() / 1048576.0);
  }
}
