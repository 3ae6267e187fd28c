package dev.peerbar.lab.vfio;

import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.Scratch;
import dev.peerbar.lab.uapi.IommuHwInfo;
import dev.peerbar.lab.uapi.IommuHwptAlloc;
import dev.peerbar.lab.uapi.IommuHwptGetDirtyBitmap;
import dev.peerbar.lab.uapi.IommuHwptSetDirtyTracking;
import dev.peerbar.lab.uapi.IommufdIoctls;
import java.io.IOException;
import java.util.BitSet;

/** A hardware page table: what an IOAS maps, as the IOMMU of a device has it. */
public final class Hwpt implements AutoCloseable {
  private final Iommufd iommufd;
  private final int id;

  private Hwpt(Iommufd iommufd, int id) {
    this.iommufd = iommufd;
    this.id = id;
  }

  /** A new one of an IOAS, for the IOMMU of a device. */
  public static Hwpt of(Ioas ioas, VfioDevice device) throws IOException {
    return alloc(ioas, device, 0);
  }

  /** The same, which can track what devices write. */
  public static Hwpt tracking(Ioas ioas, VfioDevice device) throws IOException {
    return alloc(ioas, device, IommuHwptAlloc.DIRTY_TRACKING);
  }

  private static Hwpt alloc(Ioas ioas, VfioDevice device, int flags) throws IOException {
    Iommufd iommufd = ioas.iommufd();
    byte[] argument = new IommuHwptAlloc(flags, device.deviceId(), ioas.id()).encode();
    iommufd.system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_HWPT_ALLOC, argument);
    return new Hwpt(iommufd, IommuHwptAlloc.hwptId(argument));
  }

  /** Whether the IOMMU of a device can track what it writes. */
  public static boolean canTrack(Iommufd iommufd, VfioDevice device) throws IOException {
    byte[] argument = new IommuHwInfo(device.deviceId()).encode();
    iommufd.system().ioctl(iommufd.fd(), IommufdIoctls.IOMMU_GET_HW_INFO, argument);
    return (IommuHwInfo.capabilities(argument) & IommuHwInfo.DIRTY_TRACKING) != 0;
  }

  /** Its object id in the iommufd. */
  public int id() {
    return id;
  }

  /** Begins to track what devices write, or ends it. */
  public void track(boolean enable) throws IOException {
    system()
        .ioctl(
            iommufd.fd(),
            IommufdIoctls.IOMMU_HWPT_SET_DIRTY_TRACKING,
            new IommuHwptSetDirtyTracking(enable, id).encode());
  }

  /**
   * The pages of a range that devices have written since tracking began, or since this was asked
   * last.
   *
   * @param length in bytes, a multiple of the page size
   */
  public BitSet written(long iova, long length) throws IOException {
    int page = system().agent().pageSize();
    int words = Math.toIntExact((length / page + Long.SIZE - 1) / Long.SIZE);
    try (Scratch bitmap = system().agent().scratch(words * Long.BYTES)) {
      system().agent().write(bitmap.address(), new byte[words * Long.BYTES]);
      system()
          .ioctl(
              iommufd.fd(),
              IommufdIoctls.IOMMU_HWPT_GET_DIRTY_BITMAP,
              new IommuHwptGetDirtyBitmap(id, iova, length, page, bitmap.address()).encode());
      return BitSet.valueOf(bitmap.read());
    }
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
