package dev.peerbar.lab.uapi;

/**
 * The requests of {@code linux/vfio.h} that {@code /dev/vfio/vfio} and a group's file take, and the
 * numbers that go with them.
 */
public final class VfioContainerIoctls {
  private static final char TYPE = ';';
  private static final int BASE = 100;

  public static final Ioctl VFIO_GET_API_VERSION = vfio("VFIO_GET_API_VERSION", 0);
  public static final Ioctl VFIO_CHECK_EXTENSION = vfio("VFIO_CHECK_EXTENSION", 1);
  public static final Ioctl VFIO_SET_IOMMU = vfio("VFIO_SET_IOMMU", 2);
  public static final Ioctl VFIO_GROUP_SET_CONTAINER = vfio("VFIO_GROUP_SET_CONTAINER", 4);
  public static final Ioctl VFIO_GROUP_UNSET_CONTAINER = vfio("VFIO_GROUP_UNSET_CONTAINER", 5);
  public static final Ioctl VFIO_GROUP_GET_DEVICE_FD = vfio("VFIO_GROUP_GET_DEVICE_FD", 6);
  public static final Ioctl VFIO_IOMMU_GET_INFO = vfio("VFIO_IOMMU_GET_INFO", 12);
  public static final Ioctl VFIO_IOMMU_MAP_DMA = vfio("VFIO_IOMMU_MAP_DMA", 13);
  public static final Ioctl VFIO_IOMMU_UNMAP_DMA = vfio("VFIO_IOMMU_UNMAP_DMA", 14);

  private VfioContainerIoctls() {}

  private static Ioctl vfio(String name, int number) {
    return Ioctl.io(name, TYPE, BASE + number);
  }
}
