package dev.peerbar.lab.uapi;

/** The requests of {@code linux/iommufd.h} that {@code /dev/iommu} takes. */
public final class IommufdIoctls {
  private static final char TYPE = ';';

  public static final Ioctl IOMMU_DESTROY = Ioctl.io("IOMMU_DESTROY", TYPE, 0x80);
  public static final Ioctl IOMMU_IOAS_ALLOC = Ioctl.io("IOMMU_IOAS_ALLOC", TYPE, 0x81);
  public static final Ioctl IOMMU_IOAS_ALLOW_IOVAS = Ioctl.io("IOMMU_IOAS_ALLOW_IOVAS", TYPE, 0x82);
  public static final Ioctl IOMMU_IOAS_COPY = Ioctl.io("IOMMU_IOAS_COPY", TYPE, 0x83);
  public static final Ioctl IOMMU_IOAS_IOVA_RANGES = Ioctl.io("IOMMU_IOAS_IOVA_RANGES", TYPE, 0x84);
  public static final Ioctl IOMMU_IOAS_MAP = Ioctl.io("IOMMU_IOAS_MAP", TYPE, 0x85);
  public static final Ioctl IOMMU_IOAS_UNMAP = Ioctl.io("IOMMU_IOAS_UNMAP", TYPE, 0x86);
  public static final Ioctl IOMMU_OPTION = Ioctl.io("IOMMU_OPTION", TYPE, 0x87);
  public static final Ioctl IOMMU_VFIO_IOAS = Ioctl.io("IOMMU_VFIO_IOAS", TYPE, 0x88);
  public static final Ioctl IOMMU_HWPT_ALLOC = Ioctl.io("IOMMU_HWPT_ALLOC", TYPE, 0x89);
  public static final Ioctl IOMMU_GET_HW_INFO = Ioctl.io("IOMMU_GET_HW_INFO", TYPE, 0x8a);
  public static final Ioctl IOMMU_HWPT_SET_DIRTY_TRACKING =
      Ioctl.io("IOMMU_HWPT_SET_DIRTY_TRACKING", TYPE, 0x8b);
  public static final Ioctl IOMMU_HWPT_GET_DIRTY_BITMAP =
      Ioctl.io("IOMMU_HWPT_GET_DIRTY_BITMAP", TYPE, 0x8c);
  public static final Ioctl IOMMU_IOAS_MAP_FILE = Ioctl.io("IOMMU_IOAS_MAP_FILE", TYPE, 0x8f);

  /** One of type1's requests, which works on the IOAS that IOMMU_VFIO_IOAS has set. */
  public static final Ioctl VFIO_IOMMU_UNMAP_DMA = Ioctl.io("VFIO_IOMMU_UNMAP_DMA", TYPE, 114);

  private IommufdIoctls() {}
}
