package dev.peerbar.scenario.iommufd;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Argument;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.Syscall;
import dev.peerbar.lab.uapi.DmaBufIoctls;
import dev.peerbar.lab.uapi.DmaHeapAllocationData;
import dev.peerbar.lab.uapi.IommuIoasMapFile;
import dev.peerbar.lab.uapi.IommuIoasMapFlag;
import dev.peerbar.lab.uapi.IommufdIoctls;
import dev.peerbar.lab.uapi.UdmabufCreate;
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
import dev.peerbar.scenario.fixture.MemoryDecoding;
import dev.peerbar.scenario.fixture.Refusals;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What IOMMU_IOAS_MAP_FILE and its kind refuse. */
final class ImportRefused {
  private static final long PAGE = 4096;
  private static final long LENGTH = 1L << 20;
  private static final int O_RDWR_CLOEXEC = 02000002;

  /** Where x86 has its message-signalled interrupts: no place for memory in any IOAS. */
  private static final long INTERRUPTS = 0xfee0_0000L;

  private static final int F_ADD_SEALS = 1033;
  private static final int F_SEAL_SHRINK = 2;
  private static final int MFD_CLOEXEC = 1;
  private static final int MFD_ALLOW_SEALING = 2;

  private static final Set<IommuIoasMapFlag> ANYWHERE =
      EnumSet.of(IommuIoasMapFlag.READABLE, IommuIoasMapFlag.WRITEABLE);
  private static final Set<IommuIoasMapFlag> FIXED = EnumSet.allOf(IommuIoasMapFlag.class);

  private ImportRefused() {}

  static List<Scenario<?>> all() {
    return List.of(
        of(
            "import-refused",
            "import a DMABUF with a wrong length, start, place, right, file or IOAS",
            "EINVAL, EOVERFLOW, EEXIST, EOPNOTSUPP, EBADF or ENOENT by its reason; nothing is"
                + " mapped",
            ImportRefused::calls),
        of(
            "ranges-refused",
            "import a DMABUF of several ranges, or of one twice",
            "EOPNOTSUPP, while one range can be imported",
            ImportRefused::ranges),
        of(
            "revoked-refused",
            "import a DMABUF while Memory Space Enable is clear in A",
            "ENODEV; with the bit set again it can be imported, and B reads through it",
            ImportRefused::revoked),
        of(
                "others-refused",
                "import a DMABUF of the system heap, and one of a memfd (udmabuf)",
                "EOPNOTSUPP, and both are as they were",
                ImportRefused::others)
            .needing(GuestFeature.OTHER_DMABUFS),
        of(
            "by-address-refused",
            "map A's memory BAR into the IOAS by the address of a mapping",
            "EFAULT, whether its pages are there or not; its DMABUF can be imported",
            ImportRefused::byAddress));
  }

  private static Case<HbmPair> of(
      String name, String does, String expects, Case.Body<HbmPair> body) {
    return Case.on(HbmPair.KIND, "iommufd." + name, does, expects, body)
        .needing(GuestFeature.DMABUF_IMPORT);
  }

  private static Refusals.Call mapping(
      Ioas ioas, DmaBuf dmaBuf, long start, long length, Set<IommuIoasMapFlag> flags, long iova) {
    return () -> ioas.mapFile(dmaBuf.fd(), start, length, flags, iova);
  }

  private static String calls(HbmPair pair) throws Exception {
    Ioas ioas = pair.ioas();
    Refusals refusals = new Refusals();
    try (DmaBuf dmaBuf = pair.deviceA().vfio().exportDmabuf(2, 0, LENGTH);
        EventFd event = pair.guest().eventFd()) {
      refusals
          .refuse(Errno.EINVAL, "length 0", mapping(ioas, dmaBuf, 0, 0, ANYWHERE, 0))
          .refuse(
              Errno.EINVAL, "a page too much", mapping(ioas, dmaBuf, 0, LENGTH + PAGE, ANYWHERE, 0))
          .refuse(
              Errno.EINVAL,
              "a page behind the end",
              mapping(ioas, dmaBuf, LENGTH, PAGE, ANYWHERE, 0))
          .refuse(Errno.EINVAL, "half a page", mapping(ioas, dmaBuf, 0, PAGE / 2, ANYWHERE, 0))
          .refuse(
              Errno.EINVAL, "from half a page", mapping(ioas, dmaBuf, PAGE / 2, PAGE, ANYWHERE, 0))
          .refuse(
              Errno.EINVAL,
              "from half a page, at a place",
              mapping(ioas, dmaBuf, PAGE / 2, PAGE, FIXED, 1L << 32))
          .refuse(
              Errno.EINVAL,
              "at half a page",
              mapping(ioas, dmaBuf, 0, PAGE, FIXED, (1L << 32) + PAGE / 2))
          .refuse(
              Errno.EINVAL,
              "among the interrupts",
              mapping(ioas, dmaBuf, 0, PAGE, FIXED, INTERRUPTS))
          .refuse(
              Errno.EOVERFLOW,
              "an end that overflows",
              mapping(ioas, dmaBuf, -PAGE, 2 * PAGE, ANYWHERE, 0))
          .refuse(Errno.EOVERFLOW, "the largest length", mapping(ioas, dmaBuf, 0, -1, ANYWHERE, 0))
          .refuse(
              Errno.EINVAL,
              "without rights",
              mapping(ioas, dmaBuf, 0, PAGE, EnumSet.noneOf(IommuIoasMapFlag.class), 0))
          .refuse(Errno.EBADF, "no file", () -> ioas.mapFile(-1, 0, PAGE, ANYWHERE, 0))
          .refuse(Errno.EINVAL, "an eventfd", () -> ioas.mapFile(event.fd(), 0, PAGE, ANYWHERE, 0));
      long beyond = ioas.ranges().getLast().last() + 1;
      // Page tables of six levels, as AMD's, reach all.
      if (beyond != 0) {
        refusals.refuse(
            Errno.EINVAL,
            "where the IOMMU cannot reach",
            mapping(ioas, dmaBuf, 0, PAGE, FIXED, beyond));
      }
      raw(pair, dmaBuf, refusals);
      occupied(pair, dmaBuf, refusals);
    }
    return refusals.seen();
  }

  /** What the library has no words for. */
  private static void raw(HbmPair pair, DmaBuf dmaBuf, Refusals refusals) throws IOException {
    int fd = pair.iommufd().fd();
    GuestSystem system = pair.guest().system();
    byte[] unknown =
        new IommuIoasMapFile(ANYWHERE, pair.ioas().id(), dmaBuf.fd(), 0, PAGE, 0).encode();
    unknown[4] |= 1 << 3;
    byte[] nowhere = new IommuIoasMapFile(ANYWHERE, 0x7fff_ffff, dmaBuf.fd(), 0, PAGE, 0).encode();
    byte[] device =
        new IommuIoasMapFile(ANYWHERE, pair.deviceA().vfio().deviceId(), dmaBuf.fd(), 0, PAGE, 0)
            .encode();
    refusals
        .refuse(
            Errno.EOPNOTSUPP,
            "an unknown flag",
            () -> system.ioctl(fd, IommufdIoctls.IOMMU_IOAS_MAP_FILE, unknown))
        .refuse(
            Errno.ENOENT,
            "no IOAS",
            () -> system.ioctl(fd, IommufdIoctls.IOMMU_IOAS_MAP_FILE, nowhere))
        .refuse(
            Errno.ENOENT,
            "a device for an IOAS",
            () -> system.ioctl(fd, IommufdIoctls.IOMMU_IOAS_MAP_FILE, device));
  }

  private static void occupied(HbmPair pair, DmaBuf dmaBuf, Refusals refusals) throws IOException {
    Ioas ioas = pair.ioas();
    Ioas.Mapping mapping = ioas.mapFile(dmaBuf);
    try {
      for (long at : List.of(0L, LENGTH - PAGE, -PAGE)) {
        refusals.refuse(
            Errno.EEXIST,
            "0x%x from what is mapped".formatted(at),
            mapping(ioas, dmaBuf, 0, 2 * PAGE, FIXED, mapping.iova() + at));
      }
    } finally {
      ioas.unmap(mapping);
    }
  }

  private static String ranges(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    VfioRegionDmaRange first = new VfioRegionDmaRange(0, PAGE);
    // In the BAR they are one piece: the kernel does not join them.
    VfioRegionDmaRange next = new VfioRegionDmaRange(PAGE, PAGE);
    for (List<VfioRegionDmaRange> ranges :
        List.of(List.of(first, next), List.of(next, first), List.of(first, first))) {
      try (DmaBuf dmaBuf = vfio.exportDmabuf(VfioPciRegion.BAR2, O_RDWR_CLOEXEC, ranges)) {
        Refusals.refused(Errno.EOPNOTSUPP, ranges.toString(), () -> pair.ioas().mapFile(dmaBuf));
        Refusals.refused(
            Errno.EOPNOTSUPP,
            "the first page of " + ranges,
            mapping(pair.ioas(), dmaBuf, 0, PAGE, ANYWHERE, 0));
      }
    }
    try (DmaBuf dmaBuf = vfio.exportDmabuf(VfioPciRegion.BAR2, O_RDWR_CLOEXEC, List.of(first))) {
      pair.ioas().unmap(pair.ioas().mapFile(dmaBuf));
    }
    return "3 lists of two ranges refused, all of each and its first page";
  }

  private static String revoked(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    DmaRange memory = pair.allocate(PAGE, PAGE);
    Pattern.fill(pair.memoryOfA().asSlice(0, PAGE), pair.run().seed());
    try (DmaBuf dmaBuf = vfio.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      try (MemoryDecoding _ = MemoryDecoding.off(vfio)) {
        Refusals.refused(Errno.ENODEV, "an import", () -> pair.ioas().mapFile(dmaBuf));
      }
      Ioas.Mapping mapping = pair.ioas().mapFile(dmaBuf);
      try {
        pair.initiator().copy(mapping.iova(), memory.iova(), PAGE);
      } finally {
        pair.ioas().unmap(mapping);
      }
    }
    var seen = Pattern.verify(memory, pair.run().seed());
    unless(seen.isEmpty(), "B read other bytes: %s", seen);
    return "ENODEV, then a page read by B";
  }

  private static String others(HbmPair pair) throws Exception {
    Guest guest = pair.guest();
    GuestSystem system = guest.system();
    Refusals refusals = new Refusals();
    int heap = heapDmaBuf(system);
    try {
      refusals.refuse(
          Errno.EOPNOTSUPP,
          "a heap's DMABUF",
          () -> pair.ioas().mapFile(heap, 0, PAGE, ANYWHERE, 0));
    } finally {
      system.close(heap);
    }
    int memfd = sealedMemfd(guest);
    try {
      int udmabuf = udmabuf(system, memfd);
      try {
        refusals.refuse(
            Errno.EOPNOTSUPP,
            "a udmabuf",
            () -> pair.ioas().mapFile(udmabuf, 0, PAGE, ANYWHERE, 0));
      } finally {
        system.close(udmabuf);
      }
    } finally {
      system.close(memfd);
    }
    return refusals.seen();
  }

  private static int heapDmaBuf(GuestSystem system) throws IOException {
    int heap = system.open("/dev/dma_heap/system");
    try {
      byte[] argument = new DmaHeapAllocationData(LENGTH, O_RDWR_CLOEXEC).encode();
      system.ioctl(heap, DmaBufIoctls.DMA_HEAP_IOCTL_ALLOC, argument);
      return DmaHeapAllocationData.fd(argument);
    } finally {
      system.close(heap);
    }
  }

  private static int sealedMemfd(Guest guest) throws IOException {
    int memfd =
        guest
            .agent()
            .syscall(
                Syscall.MEMFD_CREATE,
                Argument.text("peerbar"),
                Argument.of(MFD_CLOEXEC | MFD_ALLOW_SEALING))
            .asInt();
    guest.agent().syscall(Syscall.FTRUNCATE, Argument.of(memfd), Argument.of(LENGTH));
    guest
        .agent()
        .syscall(
            Syscall.FCNTL,
            Argument.of(memfd),
            Argument.of(F_ADD_SEALS),
            Argument.of(F_SEAL_SHRINK));
    return memfd;
  }

  private static int udmabuf(GuestSystem system, int memfd) throws IOException {
    int udmabuf = system.open("/dev/udmabuf", OpenFlag.READ_WRITE);
    try {
      byte[] argument = new UdmabufCreate(memfd, 0, LENGTH).encode();
      return system.ioctl(udmabuf, DmaBufIoctls.UDMABUF_CREATE, argument).asInt();
    } finally {
      system.close(udmabuf);
    }
  }

  private static String byAddress(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    Refusals refusals = new Refusals();
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      refusals.refuse(Errno.EFAULT, "pages that nobody has used", () -> pair.ioas().map(bar));
      bar.fill(0, LENGTH, (byte) 0);
      refusals
          .refuse(Errno.EFAULT, "pages that are there", () -> pair.ioas().map(bar))
          .refuse(
              Errno.EFAULT,
              "for reading only",
              () -> pair.ioas().map(bar, EnumSet.of(IommuIoasMapFlag.READABLE), 0));
    }
    try (DmaBuf dmaBuf = vfio.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      pair.ioas().unmap(pair.ioas().mapFile(dmaBuf));
    }
    return refusals.seen();
  }
}
