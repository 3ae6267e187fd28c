package dev.peerbar.lab.vfio;

import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.uapi.VfioContainerIoctls;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** An open {@code /dev/vfio/N} of the guest: the functions that an IOMMU cannot tell apart. */
public final class VfioGroup implements AutoCloseable {
  private final GuestSystem system;
  private final int number;
  private final int fd;

  private VfioGroup(GuestSystem system, int number, int fd) {
    this.system = system;
    this.number = number;
    this.fd = fd;
  }

  /** Opens the group of a function that is bound to vfio-pci. */
  public static VfioGroup open(PciDevice pci) throws IOException {
    int number = numberOf(pci);
    GuestSystem system = pci.system();
    return new VfioGroup(system, number, system.open("/dev/vfio/" + number, OpenFlag.READ_WRITE));
  }

  /** The number of a function's group. */
  public static int numberOf(PciDevice pci) throws IOException {
    String link = pci.system().readLink(pci.attribute("iommu_group"));
    return Integer.parseInt(link.substring(link.lastIndexOf('/') + 1));
  }

  public int number() {
    return number;
  }

  /** The guest's file descriptor. */
  public int fd() {
    return fd;
  }

  /** Lets its functions reach what a container maps, and nothing else. */
  public void setContainer(VfioContainer container) throws IOException {
    byte[] argument =
        ByteBuffer.allocate(Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(container.fd())
            .array();
    system.ioctl(fd, VfioContainerIoctls.VFIO_GROUP_SET_CONTAINER, argument);
  }

  /** Takes its container away. */
  public void unsetContainer() throws IOException {
    system.ioctl(fd, VfioContainerIoctls.VFIO_GROUP_UNSET_CONTAINER, 0);
  }

  /** Opens one of its functions. */
  public VfioDevice device(PciDevice pci) throws IOException {
    byte[] name = (pci.address() + '\0').getBytes(StandardCharsets.US_ASCII);
    int device = system.ioctl(fd, VfioContainerIoctls.VFIO_GROUP_GET_DEVICE_FD, name).asInt();
    return VfioDevice.ofGroup(pci, device);
  }

  @Override
  public void close() throws IOException {
    system.close(fd);
  }
}
