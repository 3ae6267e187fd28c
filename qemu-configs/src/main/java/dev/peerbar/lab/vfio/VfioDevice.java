package dev.peerbar.lab.vfio;

import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.GuestAgent;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.uapi.VfioDeviceAttachIommufdPt;
import dev.peerbar.lab.uapi.VfioDeviceBindIommufd;
import dev.peerbar.lab.uapi.VfioDeviceDetachIommufdPt;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioDeviceInfo;
import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.lab.uapi.VfioIrqInfo;
import dev.peerbar.lab.uapi.VfioIrqSet;
import dev.peerbar.lab.uapi.VfioPciIrq;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.uapi.VfioRegionInfo;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;

/**
 * A function of the guest that is open through vfio-pci: through its character device and bound to
 * an iommufd, or through its group.
 */
public final class VfioDevice implements AutoCloseable {
  private static final int O_CLOEXEC_RDWR = 02000002;
  private static final int NO_IOMMUFD = -1;

  private final PciDevice pci;
  private final GuestSystem system;
  private final int fd;
  private final int deviceId;
  private final VfioRegionInfo config;

  private VfioDevice(PciDevice pci, int fd, int deviceId) throws IOException {
    this.pci = pci;
    this.system = pci.system();
    this.fd = fd;
    this.deviceId = deviceId;
    config = region(VfioPciRegion.CONFIG);
  }

  /**
   * Opens a function, bound to vfio-pci, through its character device, and binds it to an iommufd.
   */
  public static VfioDevice open(PciDevice pci, Iommufd iommufd) throws IOException {
    GuestSystem system = pci.system();
    int fd = system.open(pci.vfioCdev(), OpenFlag.READ_WRITE);
    try {
      byte[] argument = new VfioDeviceBindIommufd(iommufd.fd()).encode();
      system.ioctl(fd, VfioIoctls.VFIO_DEVICE_BIND_IOMMUFD, argument);
      return new VfioDevice(pci, fd, VfioDeviceBindIommufd.deviceId(argument));
    } catch (IOException | RuntimeException e) {
      system.close(fd);
      throw e;
    }
  }

  /** One that its group has opened; closed if it cannot be asked. */
  static VfioDevice ofGroup(PciDevice pci, int fd) throws IOException {
    try {
      return new VfioDevice(pci, fd, NO_IOMMUFD);
    } catch (IOException | RuntimeException e) {
      pci.system().close(fd);
      throw e;
    }
  }

  public PciDevice pci() {
    return pci;
  }

  /** The guest's file descriptor. */
  public int fd() {
    return fd;
  }

  /** The object of the iommufd that stands for it; -1 if it is open through its group. */
  public int deviceId() {
    return deviceId;
  }

  /** Lets it reach what an IOAS maps, and nothing else. */
  public void attach(Ioas ioas) throws IOException {
    attach(ioas.id());
  }

  /** Lets it reach what a hardware page table maps, and nothing else. */
  public void attach(Hwpt pageTable) throws IOException {
    attach(pageTable.id());
  }

  private void attach(int pageTableId) throws IOException {
    system.ioctl(
        fd,
        VfioIoctls.VFIO_DEVICE_ATTACH_IOMMUFD_PT,
        new VfioDeviceAttachIommufdPt(pageTableId).encode());
  }

  /** Takes its IOAS away. */
  public void detach() throws IOException {
    system.ioctl(
        fd, VfioIoctls.VFIO_DEVICE_DETACH_IOMMUFD_PT, new VfioDeviceDetachIommufdPt().encode());
  }

  public VfioDeviceInfo info() throws IOException {
    byte[] argument = VfioDeviceInfo.request();
    system.ioctl(fd, VfioIoctls.VFIO_DEVICE_GET_INFO, argument);
    return VfioDeviceInfo.decode(argument);
  }

  /** A region with all of its capabilities. */
  public VfioRegionInfo region(VfioPciRegion region) throws IOException {
    byte[] argument = VfioRegionInfo.request(region.index(), VfioRegionInfo.SIZE);
    system.ioctl(fd, VfioIoctls.VFIO_DEVICE_GET_REGION_INFO, argument);
    VfioRegionInfo info = VfioRegionInfo.decode(argument);
    if (info.argsz() > argument.length) {
      argument = VfioRegionInfo.request(region.index(), info.argsz());
      system.ioctl(fd, VfioIoctls.VFIO_DEVICE_GET_REGION_INFO, argument);
      info = VfioRegionInfo.decode(argument);
    }
    return info;
  }

  public VfioIrqInfo irq(VfioPciIrq irq) throws IOException {
    byte[] argument = VfioIrqInfo.request(irq);
    system.ioctl(fd, VfioIoctls.VFIO_DEVICE_GET_IRQ_INFO, argument);
    return VfioIrqInfo.decode(argument);
  }

  /** Maps a whole BAR. */
  public GuestMemory mmapBar(int bar) throws IOException {
    return mmapBar(bar, 0, region(VfioPciRegion.bar(bar)).size());
  }

  /**
   * Maps part of a BAR.
   *
   * @param offset from the start of the BAR, a multiple of the page size
   * @param length in bytes
   */
  public GuestMemory mmapBar(int bar, long offset, long length) throws IOException {
    VfioRegionInfo region = region(VfioPciRegion.bar(bar));
    long address =
        system.mmap(
            length,
            Protection.READ_WRITE,
            EnumSet.of(MapFlag.SHARED),
            fd,
            region.offset() + offset);
    return new GuestMemory(system, address, length);
  }

  /** Reads a region through the file descriptor: the kernel makes the accesses, not the agent. */
  public byte[] readRegion(VfioPciRegion region, long offset, int length) throws IOException {
    return system.pread(fd, length, region(region).offset() + offset);
  }

  /** Writes a region through the file descriptor. */
  public void writeRegion(VfioPciRegion region, long offset, byte[] bytes) throws IOException {
    system.pwrite(fd, bytes, region(region).offset() + offset);
  }

  /** Reads config space; zero-extended. */
  public long readConfig(int offset, AccessWidth width) throws IOException {
    byte[] bytes = system.pread(fd, width.bytes(), config.offset() + offset);
    if (bytes.length != width.bytes()) {
      throw new IOException("config space ends before 0x%x".formatted(offset + width.bytes()));
    }
    return ByteBuffer.wrap(Arrays.copyOf(bytes, Long.BYTES))
        .order(ByteOrder.LITTLE_ENDIAN)
        .getLong();
  }

  /** Writes config space. */
  public void writeConfig(int offset, AccessWidth width, long value) throws IOException {
    byte[] bytes =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    system.pwrite(fd, Arrays.copyOf(bytes, width.bytes()), config.offset() + offset);
  }

  /**
   * Enables MSI-X.
   *
   * @param vectors how many, from vector 0
   * @return an eventfd a vector
   */
  public List<EventFd> enableMsix(int vectors) throws IOException {
    List<EventFd> events = new ArrayList<>();
    for (int i = 0; i < vectors; i++) {
      events.add(new EventFd(system, system.eventFd()));
    }
    setIrqs(new VfioIrqSet(VfioPciIrq.MSIX, 0, events.stream().map(EventFd::fd).toList()));
    return List.copyOf(events);
  }

  /** Disables MSI-X; the eventfds stay open. */
  public void disableMsix() throws IOException {
    setIrqs(VfioIrqSet.none(VfioPciIrq.MSIX));
  }

  public void setIrqs(VfioIrqSet set) throws IOException {
    system.ioctl(fd, VfioIoctls.VFIO_DEVICE_SET_IRQS, set.encode());
  }

  /** Exports as is asked, with all flags. */
  public DmaBuf exportDmabuf(VfioDeviceFeatureDmaBuf asked) throws IOException {
    int dmaBuf = system.ioctl(fd, VfioIoctls.VFIO_DEVICE_FEATURE, asked.encode()).asInt();
    return new DmaBuf(system, dmaBuf, asked.length());
  }

  /** Whether BARs can be exported as DMABUFs: a kernel may know nothing of it. */
  public boolean exportsDmabufs() throws IOException {
    try {
      system.ioctl(fd, VfioIoctls.VFIO_DEVICE_FEATURE, VfioDeviceFeatureDmaBuf.probe());
      return true;
    } catch (GuestErrnoException e) {
      if (e.is(Errno.ENOTTY)) {
        return false;
      }
      throw e;
    }
  }

  /**
   * Exports part of a BAR as a DMABUF.
   *
   * @param bar 0 to 5
   * @param offset from the start of the BAR, a multiple of the page size
   * @param length a multiple of the page size, not 0
   */
  public DmaBuf exportDmabuf(int bar, long offset, long length) throws IOException {
    return exportDmabuf(
        VfioPciRegion.bar(bar), O_CLOEXEC_RDWR, List.of(new VfioRegionDmaRange(offset, length)));
  }

  /**
   * Exports parts of a BAR, in this order, as one DMABUF.
   *
   * @param openFlags of the new file descriptor
   */
  public DmaBuf exportDmabuf(VfioPciRegion bar, int openFlags, List<VfioRegionDmaRange> ranges)
      throws IOException {
    byte[] argument = new VfioDeviceFeatureDmaBuf(bar, openFlags, ranges).encode();
    int dmaBuf = system.ioctl(fd, VfioIoctls.VFIO_DEVICE_FEATURE, argument).asInt();
    return new DmaBuf(system, dmaBuf, ranges.stream().mapToLong(VfioRegionDmaRange::length).sum());
  }

  /** Resets the function (VFIO_DEVICE_RESET), by FLR if it has it; how long the kernel took. */
  public Duration reset() throws IOException {
    GuestAgent.Result result = system.ioctl(fd, VfioIoctls.VFIO_DEVICE_RESET, 0);
    return result.took();
  }

  @Override
  public void close() throws IOException {
    system.close(fd);
  }
}
