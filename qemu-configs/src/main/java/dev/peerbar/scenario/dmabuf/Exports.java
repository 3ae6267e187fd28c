package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Argument;
import dev.peerbar.lab.guest.DmaBufObject;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.Syscall;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** What a DMABUF of a BAR is: its size, its descriptor, how long it lives. */
final class Exports {
  private static final long PAGE = 4096;
  private static final long LENGTH = 1L << 20;
  private static final int MANY = 1000;
  private static final int SEEK_SET = 0;
  private static final int SEEK_CUR = 1;
  private static final int SEEK_END = 2;
  private static final int F_GETFD = 1;
  private static final int F_GETFL = 3;
  private static final int RLIMIT_NOFILE = 7;
  private static final int FD_CLOEXEC = 1;
  private static final int O_ACCMODE = 3;
  private static final int O_RDONLY = 0;
  private static final int O_WRONLY = 1;
  private static final int O_RDWR = 2;
  private static final int O_CREAT = 0100;
  private static final int O_APPEND = 02000;
  private static final int O_NONBLOCK = 04000;
  private static final int O_CLOEXEC = 02000000;
  private static final String EXPORTER = "vfio_pci_core";

  private Exports() {}

  static List<Scenario<?>> all() {
    return List.of(
        imported(
            "whole",
            "export all of A's memory BAR",
            "the DMABUF has its size, is vfio-pci's, and B reads the last page through it",
            Exports::whole),
        imported(
            "slice",
            "export a part of A's memory BAR and import it",
            "B sees that part and faults around it",
            Exports::slice),
        of(
            "ranges",
            "export several ranges of A's memory BAR: in order, reversed, twice, overlapping",
            "the DMABUF has the sum of their lengths",
            Exports::ranges),
        of(
            "open-flags",
            "export A's memory BAR with different flags for its descriptor",
            "access mode, O_NONBLOCK and O_CLOEXEC are the descriptor's; others are ignored",
            Exports::openFlags),
        of(
            "seek",
            "look for the end of a DMABUF (lseek)",
            "SEEK_END and SEEK_SET with offset 0 work, all else is EINVAL",
            Exports::seek),
        of(
            "registers",
            "export A's BAR of registers and that of its MSI-X table",
            "the kernel exports both: it knows of no trapped BAR",
            Exports::registers),
        imported(
            "born-revoked",
            "export A's memory BAR while Memory Space Enable is clear",
            "the export works and an import is ENODEV; with the bit set it can be imported",
            Exports::bornRevoked),
        imported(
            "outlives-device",
            "close A while there is a DMABUF of its memory",
            "the descriptor stays and closes well; an import is ENODEV, also when A is open again",
            Exports::outlivesDevice),
        of(
            "thousand",
            "export A's memory BAR %d times, reset A, and close them all".formatted(MANY),
            "all are there until they are closed, and none afterwards",
            Exports::thousand));
  }

  private static Case<HbmPair> of(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, "dmabuf.export." + name, does, expects, body)
        .needing(GuestFeature.DMABUF_EXPORT);
  }

  private static Case<HbmPair> imported(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return of(name, does, expects, body).needing(GuestFeature.DMABUF_IMPORT);
  }

  private static String whole(HbmPair pair) throws Exception {
    long last = HbmPair.BAR_SIZE - PAGE;
    Pattern.fill(pair.memoryOfA().asSlice(last, PAGE), pair.run().seed());
    DmaRange memory = pair.allocate(PAGE, PAGE);
    List<DmaBufObject> before = pair.guest().system().dmaBufs();
    try (Import peer = pair.importOfA(HbmPair.BAR_SIZE)) {
      List<DmaBufObject> more = new ArrayList<>(pair.guest().system().dmaBufs());
      more.removeIf(o -> before.stream().anyMatch(b -> b.inode() == o.inode()));
      unless(
          more.size() == 1
              && more.getFirst().size() == HbmPair.BAR_SIZE
              && more.getFirst().exporter().equals(EXPORTER),
          "DMABUFs more than before: %s",
          more);
      pair.initiator().copy(peer.iova() + last, memory.iova(), PAGE);
      var seen = Pattern.verify(memory, pair.run().seed());
      unless(seen.isEmpty(), "B read from the last page: %s", seen);
      return more.getFirst().toString();
    }
  }

  private static String slice(HbmPair pair) throws Exception {
    long offset = HbmPair.BAR_SIZE / 2 + 3 * PAGE;
    long length = 5 * PAGE;
    DmaRange memory = pair.allocate(length, length);
    Pattern.fill(pair.memoryOfA().asSlice(offset, length), pair.run().seed());
    pair.memoryOfA().asSlice(offset - PAGE, PAGE).fill((byte) 0x5a);
    pair.memoryOfA().asSlice(offset + length, PAGE).fill((byte) 0x5a);
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, offset, length)) {
      // A place with nothing around it.
      Ioas.Mapping peer = pair.ioas().mapFileAt(dmaBuf, 1L << 36);
      pair.initiator().copy(peer.iova(), memory.iova(), length);
      var seen = Pattern.verify(memory, pair.run().seed());
      unless(seen.isEmpty(), "B read other bytes: %s", seen);
      Pattern.fill(memory, pair.run().seed() + 1);
      pair.initiator().copy(memory.iova(), peer.iova(), length);
      long mismatch =
          Pattern.mismatch(pair.memoryOfA().asSlice(offset, length), pair.run().seed() + 1);
      unless(mismatch == length, "A's memory differs at 0x%x", offset + mismatch);
      for (long around : List.of(peer.iova() - PAGE, peer.iova() + length)) {
        pair.initiator()
            .expectFault(
                Descriptor.fill(0, Long.BYTES).to(around).interrupt(),
                ErrorCode.WRITE_FAULT,
                around);
      }
      pair.ioas().unmap(peer);
    }
    for (long around : List.of(offset - PAGE, offset + length)) {
      for (byte b : pair.memoryOfA().asSlice(around, PAGE).toArray(ValueLayout.JAVA_BYTE)) {
        unless(b == 0x5a, "A's memory changed in the page at 0x%x", around);
      }
    }
    return "%d KiB at 0x%x, a fault on both sides".formatted(length >> 10, offset);
  }

  private static String ranges(HbmPair pair) throws Exception {
    VfioRegionDmaRange first = new VfioRegionDmaRange(0, 2 * PAGE);
    VfioRegionDmaRange last = new VfioRegionDmaRange(HbmPair.BAR_SIZE - PAGE, PAGE);
    VfioRegionDmaRange overlapping = new VfioRegionDmaRange(PAGE, 4 * PAGE);
    VfioRegionDmaRange all = new VfioRegionDmaRange(0, HbmPair.BAR_SIZE);
    List<List<VfioRegionDmaRange>> tried =
        List.of(
            List.of(first, last),
            List.of(last, first),
            List.of(first, first),
            List.of(first, overlapping),
            List.of(all, all, all));
    for (List<VfioRegionDmaRange> ranges : tried) {
      long sum = ranges.stream().mapToLong(VfioRegionDmaRange::length).sum();
      try (DmaBuf dmaBuf =
          pair.deviceA().vfio().exportDmabuf(VfioPciRegion.BAR2, O_RDWR | O_CLOEXEC, ranges)) {
        long size = seek(pair.guest(), dmaBuf, 0, SEEK_END);
        unless(size == sum, "0x%x bytes of %s", size, ranges);
        String info = pair.guest().system().readText("/proc/self/fdinfo/" + dmaBuf.fd());
        unless(info.contains("size:\t" + sum + "\n"), "other size than %d in %s", sum, info);
      }
    }
    return "%d lists of ranges, up to %d MiB".formatted(tried.size(), 3 * HbmPair.BAR_SIZE >> 20);
  }

  private static String openFlags(HbmPair pair) throws Exception {
    List<VfioRegionDmaRange> page = List.of(new VfioRegionDmaRange(0, PAGE));
    int tried = 0;
    for (int flags :
        new int[] {
          O_RDONLY,
          O_WRONLY,
          O_RDWR,
          O_RDWR | O_CLOEXEC,
          O_RDWR | O_NONBLOCK,
          O_CLOEXEC | O_CREAT | O_APPEND,
          -1 & ~O_CLOEXEC
        }) {
      try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(VfioPciRegion.BAR2, flags, page)) {
        long status = fcntl(pair.guest(), dmaBuf, F_GETFL);
        int kept = O_ACCMODE | O_NONBLOCK;
        unless(
            (status & (kept | O_CREAT | O_APPEND)) == (flags & kept),
            "F_GETFL is 0%o of 0%o",
            status,
            flags);
        long descriptor = fcntl(pair.guest(), dmaBuf, F_GETFD);
        unless(
            descriptor == ((flags & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0),
            "F_GETFD is %d of 0%o",
            descriptor,
            flags);
        tried++;
      }
    }
    return "%d combinations".formatted(tried);
  }

  private static String seek(HbmPair pair) throws Exception {
    Guest guest = pair.guest();
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, PAGE, LENGTH)) {
      long end = seek(guest, dmaBuf, 0, SEEK_END);
      unless(end == LENGTH, "its end is at 0x%x", end);
      long start = seek(guest, dmaBuf, 0, SEEK_SET);
      unless(start == 0, "its start is at 0x%x", start);
      return new Refusals()
          .refuse(Errno.EINVAL, "SEEK_CUR", () -> seek(guest, dmaBuf, 0, SEEK_CUR))
          .refuse(Errno.EINVAL, "SEEK_SET to 1", () -> seek(guest, dmaBuf, 1, SEEK_SET))
          .refuse(Errno.EINVAL, "SEEK_END and 1", () -> seek(guest, dmaBuf, 1, SEEK_END))
          .seen();
    }
  }

  private static String registers(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    try (DmaBuf registers = vfio.exportDmabuf(HbmRegisters.BAR, 0, HbmRegisters.BAR_SIZE);
        DmaBuf table = vfio.exportDmabuf(HbmRegisters.MSIX_BAR, 0, HbmRegisters.MSIX_BAR_SIZE)) {
      long size = seek(pair.guest(), registers, 0, SEEK_END);
      unless(size == HbmRegisters.BAR_SIZE, "BAR 0 has 0x%x bytes", size);
      size = seek(pair.guest(), table, 0, SEEK_END);
      unless(size == HbmRegisters.MSIX_BAR_SIZE, "BAR 4 has 0x%x bytes", size);
    }
    return "DMABUFs of 64 and 16 KiB";
  }

  private static String bornRevoked(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    DmaRange memory = pair.allocate(PAGE, PAGE);
    Pattern.fill(pair.memoryOfA().asSlice(0, PAGE), pair.run().seed());
    MemoryDecoding off = MemoryDecoding.off(vfio);
    try (DmaBuf dmaBuf = vfio.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      Refusals.refused(Errno.ENODEV, "an import", () -> pair.ioas().mapFile(dmaBuf));
      off.close();
      copyThrough(pair, dmaBuf, memory);
    } finally {
      off.close();
    }
    return "ENODEV, then a copy of a page through it";
  }

  private static void copyThrough(HbmPair pair, DmaBuf dmaBuf, DmaRange memory) throws Exception {
    Ioas.Mapping mapping = pair.ioas().mapFile(dmaBuf);
    try {
      pair.initiator().copy(mapping.iova(), memory.iova(), PAGE);
      var seen = Pattern.verify(memory, pair.run().seed());
      unless(seen.isEmpty(), "B read other bytes: %s", seen);
    } finally {
      pair.ioas().unmap(mapping);
    }
  }

  private static String outlivesDevice(HbmPair pair) throws Exception {
    DmaRange memory = pair.allocate(PAGE, PAGE);
    Pattern.fill(pair.memoryOfA().asSlice(0, PAGE), pair.run().seed());
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      pair.deviceA().close();
      long size = seek(pair.guest(), dmaBuf, 0, SEEK_END);
      unless(size == LENGTH, "it has 0x%x bytes", size);
      Refusals.refused(
          Errno.ENODEV, "an import after the close", () -> pair.ioas().mapFile(dmaBuf));
      VfioDevice again = pair.open(pair.deviceA().vfio().pci()).vfio();
      Refusals.refused(
          Errno.ENODEV, "an import after A is open again", () -> pair.ioas().mapFile(dmaBuf));
      try (DmaBuf fresh = again.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
        copyThrough(pair, fresh, memory);
      }
    }
    return "ENODEV for the old one, a copy of a page through a new one";
  }

  private static String thousand(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    Guest guest = pair.guest();
    int before = exported(guest);
    List<DmaBuf> all = new ArrayList<>();
    long limit = limitDescriptors(guest, 2 * MANY);
    try {
      for (int i = 0; i < MANY; i++) {
        all.add(vfio.exportDmabuf(HbmRegisters.MEMORY_BAR, i * PAGE, PAGE));
      }
      int there = exported(guest);
      unless(there == before + MANY, "%d there, %d before", there, before);
      pair.run().record("reset with 1000 DMABUFs", vfio.reset());
      there = exported(guest);
      unless(there == before + MANY, "%d after the reset", there);
    } finally {
      for (DmaBuf dmaBuf : all) {
        dmaBuf.close();
      }
      limitDescriptors(guest, limit);
    }
    int after = exported(guest);
    unless(after == before, "%d left, %d before", after, before);
    return "%d there, %d left".formatted(before + MANY, after);
  }

  /** How many descriptors there may be from now on; how many there could be before. */
  private static long limitDescriptors(Guest guest, long limit) throws IOException {
    byte[] now = new byte[2 * Long.BYTES];
    prlimit(guest, Argument.of(0), Argument.out(now));
    ByteBuffer softAndHard = ByteBuffer.wrap(now).order(ByteOrder.LITTLE_ENDIAN);
    long before = softAndHard.getLong(0);
    softAndHard.putLong(0, limit);
    prlimit(guest, Argument.in(now), Argument.of(0));
    return before;
  }

  private static void prlimit(Guest guest, Argument newLimit, Argument oldLimit)
      throws IOException {
    guest
        .agent()
        .syscall(Syscall.PRLIMIT64, Argument.of(0), Argument.of(RLIMIT_NOFILE), newLimit, oldLimit);
  }

  private static int exported(Guest guest) throws IOException {
    int count = 0;
    for (DmaBufObject object : guest.system().dmaBufs()) {
      count += object.exporter().equals(EXPORTER) ? 1 : 0;
    }
    return count;
  }

  private static long seek(Guest guest, DmaBuf dmaBuf, long offset, int whence) throws IOException {
    return guest
        .agent()
        .syscall(Syscall.LSEEK, Argument.of(dmaBuf.fd()), Argument.of(offset), Argument.of(whence))
        .value();
  }

  private static long fcntl(Guest guest, DmaBuf dmaBuf, int command) throws IOException {
    return guest
        .agent()
        .syscall(Syscall.FCNTL, Argument.of(dmaBuf.fd()), Argument.of(command), Argument.of(0))
        .value();
  }
}
