package dev.peerbar.lab.vfio;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.uapi.IommuIoasIovaRanges.IommuIovaRange;
import dev.peerbar.lab.uapi.VfioContainerIoctls;
import dev.peerbar.lab.uapi.VfioDmaMap;
import dev.peerbar.lab.uapi.VfioDmaUnmap;
import dev.peerbar.lab.uapi.VfioIommuType1Info;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * An open {@code /dev/vfio/vfio} of the guest: what the functions of its groups reach, and where.
 * What came before iommufd, and is what most programs use.
 */
public final class VfioContainer implements DmaSpace, AutoCloseable {
  /** Of which each opening is a container. */
  public static final String PATH = "/dev/vfio/vfio";

  /** Above all that a machine may keep for itself, such as the window of its interrupts. */
  private static final long FIRST = 1L << 32;

  private static final long ALIGNMENT = 2L << 20;

  private static final Set<VfioDmaMap.Flag> READ_WRITE = EnumSet.allOf(VfioDmaMap.Flag.class);

  /** How a container's IOMMU is driven ({@code VFIO_TYPE1_IOMMU}, {@code VFIO_TYPE1v2_IOMMU}). */
  public enum Type {
    TYPE1(1),
    TYPE1V2(3);

    private final int number;

    Type(int number) {
      this.number = number;
    }
  }

  private final GuestSystem system;
  private final int fd;
  private long next = FIRST;
  private boolean closed;

  private VfioContainer(GuestSystem system, int fd) {
    this.system = system;
    this.fd = fd;
  }

  public static VfioContainer open(Guest guest) throws IOException {
    GuestSystem system = guest.system();
    return new VfioContainer(system, system.open(PATH, OpenFlag.READ_WRITE));
  }

  /** The guest's file descriptor. */
  public int fd() {
    return fd;
  }

  /** Whether the kernel has an IOMMU driver of this type. */
  public boolean has(Type type) throws IOException {
    return system.ioctl(fd, VfioContainerIoctls.VFIO_CHECK_EXTENSION, type.number).asInt() == 1;
  }

  /** Chooses how the IOMMU is driven, after the first group has it and before any device. */
  public void setIommu(Type type) throws IOException {
    system.ioctl(fd, VfioContainerIoctls.VFIO_SET_IOMMU, type.number);
  }

  @Override
  public DmaRange map(GuestMemory memory) throws IOException {
    return mapAt(memory, room(memory.length()));
  }

  @Override
  public DmaRange mapAt(GuestMemory memory, long iova) throws IOException {
    map(READ_WRITE, memory.address(), iova, memory.length());
    return DmaRange.of(memory, iova);
  }

  /** Addresses that nothing was mapped at, yet. */
  public long room(long length) {
    long iova = next;
    next += (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return iova;
  }

  /** Where it can be mapped, ascending. */
  public List<IommuIovaRange> ranges() throws IOException {
    byte[] argument = VfioIommuType1Info.request();
    system.ioctl(fd, VfioContainerIoctls.VFIO_IOMMU_GET_INFO, argument);
    return VfioIommuType1Info.decode(argument).ranges();
  }

  /** Maps memory of the guest's agent, a BAR for one, with chosen rights. */
  public void map(Set<VfioDmaMap.Flag> rights, long userAddress, long iova, long length)
      throws IOException {
    system.ioctl(
        fd,
        VfioContainerIoctls.VFIO_IOMMU_MAP_DMA,
        new VfioDmaMap(rights, userAddress, iova, length).encode());
  }

  /** {@inheritDoc} None if the file is closed: what is mapped then goes with the last group. */
  @Override
  public long unmap(DmaRange memory) throws IOException {
    return closed ? 0 : unmap(memory.iova(), memory.length());
  }

  /** Takes addresses away; how many bytes of mappings went. */
  public long unmap(long iova, long length) throws IOException {
    return unmap(new VfioDmaUnmap(0, iova, length));
  }

  /** Takes all away; how many bytes that was. */
  public long unmapAll() throws IOException {
    return unmap(new VfioDmaUnmap(VfioDmaUnmap.ALL, 0, 0));
  }

  /** Makes the call with any argument. */
  public long unmap(VfioDmaUnmap asked) throws IOException {
    byte[] argument = asked.encode();
    system.ioctl(fd, VfioContainerIoctls.VFIO_IOMMU_UNMAP_DMA, argument);
    return VfioDmaUnmap.unmapped(argument);
  }

  /** Closes the file; the container is there until its groups are closed. Once is enough. */
  @Override
  public void close() throws IOException {
    if (!closed) {
      closed = true;
      system.close(fd);
    }
  }
}
