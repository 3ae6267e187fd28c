package dev.peerbar.lab.uapi;

/** The requests of {@code linux/iommufd.h} that {@code /dev/iommu} takes. */
public final class IommufdIoctls {
  private static final char TYPE = ';';

  public static final Ioctl IOMMU_DESTROY = Ioctl.io("IOMMU_DESTROY", TYPE, 0x80);
  public static final Ioctl IOMMU_IOAS_ALLOC = Ioctl.io("IOMMU_IOAS_ALLOC", TYPE, 0x81);
  public static final Ioctl IOMMU_IOAS_IOVA_RANGES = Ioctl.io("IOMMU_IOAS_IOVA_RANGES", TYPE, 0x84);
  public static final Ioctl IOMMU_IOAS_MAP = Ioctl.io("IOMMU_IOAS_MAP", TYPE, 0x85);
  public static final Ioctl IOMMU_IOAS_UNMAP = Ioctl.io("IOMMU_IOAS_UNMAP", TYPE, 0x86);
  public static final Ioctl IOMMU_IOAS_MAP_FILE = Ioctl.io("IOMMU_IOAS_MAP_FILE", TYPE, 0x8f);

  private IommufdIoctls() {}
}
