package dev.peerbar.lab.uapi;

/** The requests of {@code linux/vfio.h} that a device's file descriptor takes. */
public final class VfioIoctls {
  private static final char TYPE = ';';
  private static final int BASE = 100;

  public static final Ioctl VFIO_DEVICE_GET_INFO = vfio("VFIO_DEVICE_GET_INFO", 7);
  public static final Ioctl VFIO_DEVICE_GET_REGION_INFO = vfio("VFIO_DEVICE_GET_REGION_INFO", 8);
  public static final Ioctl VFIO_DEVICE_GET_IRQ_INFO = vfio("VFIO_DEVICE_GET_IRQ_INFO", 9);
  public static final Ioctl VFIO_DEVICE_SET_IRQS = vfio("VFIO_DEVICE_SET_IRQS", 10);
  public static final Ioctl VFIO_DEVICE_RESET = vfio("VFIO_DEVICE_RESET", 11);
  public static final Ioctl VFIO_DEVICE_GET_PCI_HOT_RESET_INFO =
      vfio("VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", 12);
  public static final Ioctl VFIO_DEVICE_PCI_HOT_RESET = vfio("VFIO_DEVICE_PCI_HOT_RESET", 13);
  public static final Ioctl VFIO_DEVICE_FEATURE = vfio("VFIO_DEVICE_FEATURE", 17);
  public static final Ioctl VFIO_DEVICE_BIND_IOMMUFD = vfio("VFIO_DEVICE_BIND_IOMMUFD", 18);
  public static final Ioctl VFIO_DEVICE_ATTACH_IOMMUFD_PT =
      vfio("VFIO_DEVICE_ATTACH_IOMMUFD_PT", 19);
  public static final Ioctl VFIO_DEVICE_DETACH_IOMMUFD_PT =
      vfio("VFIO_DEVICE_DETACH_IOMMUFD_PT", 20);

  private VfioIoctls() {}

  private static Ioctl vfio(String name, int number) {
    return Ioctl.io(name, TYPE, BASE + number);
  }
}
