package dev.peerbar.lab.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.disk.BlockDevice;
import dev.peerbar.lab.disk.Fio;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestProgram;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.scenario.Step;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.UnexpectedException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The kernel's peer-to-peer DMA: what a controller publishes of its CMB carries the data of its own
 * and of other controllers' reads and writes.
 */
final class NvmePeerSteps {
  private static final long LENGTH = 1L << 20;
  private static final long PAGE = 4096;

  /** Where on the disks the data goes, away from what other steps wrote. */
  private static final long POSITION = 256L << 20;

  private final NvmeSetting setting;
  private long seed = 1000;

  NvmePeerSteps(NvmeSetting setting) {
    this.setting = setting;
  }

  List<Step> steps() {
    List<Step> steps = new ArrayList<>();
    steps.add(
        new Step(
            "e1",
            "p2pmem/{size,available,published} and allocate",
            "the whole CMB, published; what the guest stores, the host sees, and the other way"
                + " round",
            this::published));
    steps.add(
        new Step(
            "e2",
            "O_DIRECT through the endpoint's CMB on its own disk",
            "the right bytes in the CMB, in the image file, and in memory afterwards",
            () -> pair(setting.underTest(), setting.underTest())));
    if (setting.boot().peersReachEachOther()) {
      steps.add(
          new Step(
              "e3",
              "the same on the disks of a second endpoint and of QEMU's, and through the second's"
                  + " CMB",
              "the right bytes each way, for all of these pairs",
              this::allPairs));
      steps.add(
          new Step(
              "e4",
              "fio --verify=crc32c on the other disks, all of its buffers in the endpoint's CMB",
              "every block has its checksum",
              this::fioThroughMemory));
      steps.add(
          new Step(
              "e5",
              "the same on the endpoint's disk through the CMB of QEMU's, to which QEMU gives no"
                  + " server a way",
              "EIO, and no byte moves",
              this::unreachable));
    } else {
      steps.add(
          new Step(
              "e3",
              "the same on the disks of a second endpoint and of QEMU's, and through their CMBs",
              "EINVAL each time, and no byte moves: the kernel does not know the host bridge",
              this::allRefused));
    }
    return steps;
  }

  private String published() throws Exception {
    NvmeDisk disk = setting.disk();
    long size = number(disk, "size");
    long available = number(disk, "available");
    unless(size == NvmeController.MEMORY, "size %d", size);
    // The driver has put its submission queues there.
    unless(available > size / 2 && available < size, "available %d of %d", available, size);
    unless(number(disk, "published") == 1, "not published");
    long left;
    String seen = "";
    try (GuestMemory memory = disk.pci().allocatePeerMemory(LENGTH)) {
      memory.fillPattern(0, LENGTH, ++seed);
      unless(
          memory.verifyPattern(0, LENGTH, seed).isEmpty(), "the guest does not see what it stored");
      Optional<MemorySegment> host = hostView(setting.underTest(), seed);
      if (host.isPresent()) {
        long mismatch = Pattern.mismatch(host.get(), seed);
        unless(mismatch == LENGTH, "the host sees other bytes at 0x%x", mismatch);
        Pattern.fill(host.get(), ++seed);
        var wrong = memory.verifyPattern(0, LENGTH, seed);
        unless(wrong.isEmpty(), "the guest sees other bytes than the host stored: %s", wrong);
        seen = ", 1 MiB each way";
      }
      left = number(disk, "available");
      // Pages are taken when they are first touched.
      unless(left == available - LENGTH, "available %d after an allocation", left);
    }
    unless(number(disk, "available") == available, "the memory did not come back");
    return "size %d, available %d, %d with 1 MiB allocated%s"
        .formatted(size, available, left, seen);
  }

  private static long number(NvmeDisk disk, String attribute) throws Exception {
    return Long.parseLong(disk.guest().system().readText(disk.pci().peerMemory(attribute)));
  }

  /** The part of a controller's CMB that begins with a pattern, if this process can see it. */
  private static Optional<MemorySegment> hostView(NvmeController controller, long seed)
      throws UnexpectedException {
    if (controller.memory().isEmpty()) {
      return Optional.empty();
    }
    MemorySegment all = controller.memory().get();
    for (long at = 0; at + LENGTH <= all.byteSize(); at += PAGE) {
      if (Pattern.begins(all.asSlice(at, PAGE), seed)) {
        return Optional.of(all.asSlice(at, LENGTH));
      }
    }
    throw new UnexpectedException("the host does not find in the CMB what the guest stored");
  }

  private String allPairs() throws Exception {
    int pairs = 0;
    for (NvmeController provider : List.of(setting.underTest(), setting.second())) {
      for (NvmeController client : setting.controllers()) {
        if (provider != client) {
          pair(provider, client);
          pairs++;
        }
      }
    }
    return "%d pairs, 1 MiB and 4 KiB each way".formatted(pairs);
  }

  private static String names(NvmeController provider, NvmeController client) {
    return "CMB of %s, disk of %s".formatted(provider.port(), client.port());
  }

  /** Moves bytes both ways between a CMB and a disk. */
  String pair(NvmeController provider, NvmeController client) throws Exception {
    String names = names(provider, client);
    try (GuestMemory memory = setting.disk(provider).pci().allocatePeerMemory(LENGTH);
        GuestMemory ram = setting.guest().allocate(LENGTH);
        BlockDevice disk = setting.disk(client).open()) {
      for (long length : new long[] {LENGTH, PAGE}) {
        memory.fillPattern(0, length, ++seed);
        disk.write(POSITION, memory, 0, length);
        checkImage(client, length, names);
        disk.read(POSITION, ram, 0, length);
        var inRam = ram.verifyPattern(0, length, seed);
        unless(inRam.isEmpty(), "%s: read back wrong: %s", names, inRam);
        ram.fillPattern(0, length, ++seed);
        disk.write(POSITION, ram, 0, length);
        disk.read(POSITION, memory, 0, length);
        var inMemory = memory.verifyPattern(0, length, seed);
        unless(inMemory.isEmpty(), "%s: read wrong: %s", names, inMemory);
      }
      memory.fillPattern(0, LENGTH, ++seed);
      disk.write(POSITION, memory, 0, LENGTH);
      memory.fill(0, LENGTH, (byte) 0);
      disk.read(POSITION, memory, 0, LENGTH);
      Optional<MemorySegment> host = hostView(provider, seed);
      if (host.isPresent()) {
        long mismatch = Pattern.mismatch(host.get(), seed);
        unless(mismatch == LENGTH, "%s: the host's view differs at 0x%x", names, mismatch);
      }
      return names + ", 1 MiB and 4 KiB each way";
    }
  }

  private void checkImage(NvmeController controller, long length, String names) throws Exception {
    try (Arena arena = Arena.ofConfined();
        FileChannel image = FileChannel.open(controller.image(), StandardOpenOption.READ)) {
      MemorySegment bytes = arena.allocate(length);
      ByteBuffer buffer = bytes.asByteBuffer();
      while (buffer.hasRemaining() && image.read(buffer, POSITION + buffer.position()) >= 0) {
        // Until all is there.
      }
      long mismatch = Pattern.mismatch(bytes, seed);
      unless(mismatch == length, "%s: the image differs at 0x%x", names, mismatch);
    }
  }

  private String allRefused() throws Exception {
    int refused = 0;
    for (NvmeController provider : setting.controllers()) {
      for (NvmeController client : setting.controllers()) {
        if (provider != client) {
          setting
              .lab()
              .expect(
                  new RefusedPeers(setting.disk(provider), setting.disk(client), POSITION, LENGTH));
          refuse(provider, client, Errno.EINVAL);
          refused++;
        }
      }
    }
    return refused + " pairs, reads and writes; the disks and CMBs are as they were";
  }

  private String unreachable() throws Exception {
    NvmeController client = setting.underTest();
    setting.lab().expect(new FailedTransfers(setting.disk(client), POSITION, LENGTH));
    refuse(setting.inQemu(), client, Errno.EIO);
    return "EIO for a write and a read; disk and CMB are as they were";
  }

  private void refuse(NvmeController provider, NvmeController client, Errno error)
      throws Exception {
    String names = names(provider, client);
    try (GuestMemory memory = setting.disk(provider).pci().allocatePeerMemory(LENGTH);
        GuestMemory ram = setting.guest().allocate(LENGTH);
        BlockDevice disk = setting.disk(client).open()) {
      ram.fillPattern(0, LENGTH, ++seed);
      disk.write(POSITION, ram, 0, LENGTH);
      memory.fillPattern(0, LENGTH, seed + 1);
      expect(error, names, () -> disk.write(POSITION, memory, 0, LENGTH));
      checkImage(client, LENGTH, names);
      expect(error, names, () -> disk.read(POSITION, memory, 0, LENGTH));
      ++seed;
      var changed = memory.verifyPattern(0, LENGTH, seed);
      unless(changed.isEmpty(), "%s: bytes moved: %s", names, changed);
    }
  }

  @FunctionalInterface
  private interface Transfer {
    void perform() throws Exception;
  }

  private static void expect(Errno error, String names, Transfer transfer) throws Exception {
    try {
      transfer.perform();
    } catch (GuestErrnoException e) {
      unless(e.is(error), "%s: %s", names, e.getMessage());
      return;
    }
    throw new UnexpectedException(names + ": it went through");
  }

  private String fioThroughMemory() throws Exception {
    String memory = setting.disk().pci().peerMemory("allocate");
    long bytes = 0;
    for (NvmeController client : List.of(setting.second(), setting.inQemu())) {
      Fio.Result result =
          Fio.result(
              startThroughMemory(
                      setting.underTest(),
                      client,
                      "name=peer",
                      "rw=randrw",
                      "bsrange=4k-128k",
                      "iodepth=8",
                      "size=8m",
                      "verify=crc32c",
                      "verify_fatal=1")
                  .finish(dev.peerbar.lab.guest.Guest.PROGRAM_LIMIT));
      unless(result.good(), "disk of %s: %s", client.port(), result);
      bytes += result.bytes();
    }
    return "%.1f MiB through %s".formatted(bytes / 1048576.0, memory);
  }

  /** Starts fio on the disk of one controller, with its buffers in the CMB of another. */
  GuestProgram startThroughMemory(NvmeController provider, NvmeController client, String... options)
      throws Exception {
    List<String> all = new ArrayList<>();
    all.add("filename=" + setting.disk(client).path());
    all.add("mem=mmapshared:" + setting.disk(provider).pci().peerMemory("allocate"));
    all.addAll(List.of(options));
    return Fio.start(setting.guest(), all.toArray(String[]::new));
  }
}
