package dev.peerbar.lab.vfio;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.Scratch;
import dev.peerbar.lab.uapi.IommuIoasAllowIovas;
import dev.peerbar.lab.uapi.IommuIoasCopy;
import dev.peerbar.lab.uapi.IommuIoasIovaRanges;
import dev.peerbar.lab.uapi.IommuIoasIovaRanges.IommuIovaRange;
import dev.peerbar.lab.uapi.IommuIoasMap;
import dev.peerbar.lab.uapi.IommuIoasMapFile;
import dev.peerbar.lab.uapi.IommuIoasMapFlag;
import dev.peerbar.lab.uapi.IommuIoasUnmap;
import dev.peerbar.lab.uapi.IommuOption;
import dev.peerbar.lab.uapi.IommuVfioIoas;
import dev.peerbar.lab.uapi.IommufdIoctls;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** An I/O address space: what the devices attached to it can reach, and where. */
public final class Ioas implements DmaSpace, AutoCloseable {
  private static final Set<IommuIoasMapFlag> READ_WRITE =
      EnumSet.of(IommuIoasMapFlag.READABLE, IommuIoasMapFlag.WRITEABLE);

  /** The length that stands, from address 0, for all there is (IOMMU_IOAS_UNMAP). */
  private static final long WHOLE = -1;

  private static final int MOST_RANGES = 64;

  private final Iommufd iommufd;
  private final int id;

  Ioas(Iommufd iommufd, int id) {
    this.iommufd = iommufd;
    this.id = id;
  }

  /** Its object id in the iommufd. */
  public int id() {
    return id;
  }

  Iommufd iommufd() {
    return iommufd;
  }

  /**
   * What was imported.
   *
   * @param iova where devices see its first byte
   * @param length in bytes
   */
  public record Mapping(long iova, long length) {}

  @Override
  public DmaRange map(GuestMemory memory) throws IOException {
    return map(memory, READ_WRITE, 0);
  }

  @Override
  public DmaRange mapAt(GuestMemory memory, long iova) throws IOException {
    return map(memory, withFixed(), iova);
  }

  /** Maps guest memory with chosen rights. */
  public DmaRange map(GuestMemory memory, Set<IommuIoasMapFlag> flags, long iova)
      throws IOException {
    byte[] argument = new IommuIoasMap(flags, id, memory.address(), memory.length(), iova).encode();
    system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_IOAS_MAP, argument);
    return DmaRange.of(memory, IommuIoasMap.iova(argument));
  }

  /** Imports all of a DMABUF for reading and writing, wherever the kernel likes. */
  public Mapping mapFile(DmaBuf dmaBuf) throws IOException {
    return mapFile(dmaBuf.fd(), 0, dmaBuf.length(), READ_WRITE, 0);
  }

  /** Imports all of a DMABUF at an IOVA. */
  public Mapping mapFileAt(DmaBuf dmaBuf, long iova) throws IOException {
    return mapFile(dmaBuf.fd(), 0, dmaBuf.length(), withFixed(), iova);
  }

  /** Imports part of a DMABUF or memfd. */
  public Mapping mapFile(int fd, long start, long length, Set<IommuIoasMapFlag> flags, long iova)
      throws IOException {
    byte[] argument = new IommuIoasMapFile(flags, id, fd, start, length, iova).encode();
    system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_IOAS_MAP_FILE, argument);
    return new Mapping(IommuIoasMapFile.iova(argument), length);
  }

  /** Maps what is mapped in another IOAS, or in this, once more, wherever the kernel likes. */
  public Mapping copy(Ioas from, long iova, long length) throws IOException {
    return copy(new IommuIoasCopy(READ_WRITE, id, from.id, length, 0, iova));
  }

  /** Maps what is mapped in another IOAS at the same place here. */
  public Mapping copyAt(Ioas from, long iova, long length) throws IOException {
    return copy(new IommuIoasCopy(withFixed(), id, from.id, length, iova, iova));
  }

  private Mapping copy(IommuIoasCopy request) throws IOException {
    byte[] argument = request.encode();
    system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_IOAS_COPY, argument);
    return new Mapping(IommuIoasCopy.iova(argument), request.length());
  }

  /** Lets the kernel put what has no place of its own into these ranges only. */
  public void allow(List<IommuIovaRange> ranges) throws IOException {
    byte[] bytes = IommuIoasAllowIovas.array(ranges);
    try (Scratch array = system().agent().scratch(Math.max(1, bytes.length))) {
      system().agent().write(array.address(), bytes);
      byte[] argument = new IommuIoasAllowIovas(id, ranges.size(), array.address()).encode();
      system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_IOAS_ALLOW_IOVAS, argument);
    }
  }

  /**
   * Has it mapped page by page, so that type1's requests may cut what is mapped. It must have no
   * mapping yet that a device reaches.
   */
  public void forbidHugePages() throws IOException {
    byte[] argument = new IommuOption(IommuOption.HUGE_PAGES, id, 0).encode();
    system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_OPTION, argument);
  }

  /** Takes away what lies in a range as type1 does, which may cut what is mapped. */
  public void unmapAsType1(long iova, long length) throws IOException {
    system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_VFIO_IOAS, new IommuVfioIoas(id).encode());
    system()
        .ioctl(
            iommufd.fd(),
            IommufdIoctls.VFIO_IOMMU_UNMAP_DMA,
            IommuVfioIoas.type1Unmap(iova, length));
  }

  @Override
  public long unmap(DmaRange memory) throws IOException {
    return unmap(memory.iova(), memory.length());
  }

  /** Takes away what was imported; how many bytes went. */
  public long unmap(Mapping mapping) throws IOException {
    return unmap(mapping.iova(), mapping.length());
  }

  /** Takes away all that is still mapped; how many bytes that was. */
  public long unmapAll() throws IOException {
    return unmap(0, WHOLE);
  }

  /** Takes away what lies wholly in a range; how many bytes that was. */
  public long unmap(long iova, long length) throws IOException {
    byte[] argument = new IommuIoasUnmap(id, iova, length).encode();
    system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_IOAS_UNMAP, argument);
    return IommuIoasUnmap.unmapped(argument);
  }

  /** Where it can be mapped, with the devices that are attached now. */
  public List<IommuIovaRange> ranges() throws IOException {
    try (Scratch array = system().agent().scratch(MOST_RANGES * IommuIovaRange.SIZE)) {
      byte[] argument = new IommuIoasIovaRanges(id, MOST_RANGES, array.address()).encode();
      system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_IOAS_IOVA_RANGES, argument);
      return IommuIoasIovaRanges.ranges(argument, array.read());
    }
  }

  private static Set<IommuIoasMapFlag> withFixed() {
    Set<IommuIoasMapFlag> flags = EnumSet.copyOf(READ_WRITE);
    flags.add(IommuIoasMapFlag.FIXED_IOVA);
    return flags;
  }

  private GuestSystem system() {
    return iommufd.system();
  }

  /** Destroys it; every device that was attached must be closed or detached by now. */
  @Override
  public void close() throws IOException {
    iommufd.destroy(id);
  }
}
