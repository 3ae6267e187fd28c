package dev.peerbar.lab.vfio;

import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.uapi.IommuDestroy;
import dev.peerbar.lab.uapi.IommuIoasAlloc;
import dev.peerbar.lab.uapi.IommufdIoctls;
import java.io.IOException;

/**
 * An open {@code /dev/iommu} of the guest. Closing it destroys all of its objects that are not in
 * use.
 */
public final class Iommufd implements AutoCloseable {
  private final GuestSystem system;
  private final int fd;

  private Iommufd(GuestSystem system, int fd) {
    this.system = system;
    this.fd = fd;
  }

  public static Iommufd open(Guest guest) throws IOException {
    GuestSystem system = guest.system();
    return new Iommufd(system, system.open("/dev/iommu", OpenFlag.READ_WRITE));
  }

  /** The guest's file descriptor. */
  public int fd() {
    return fd;
  }

  /** A new, empty I/O address space. */
  public Ioas allocIoas() throws IOException {
    byte[] argument = new IommuIoasAlloc().encode();
    system.ioctl(fd, IommufdIoctls.IOMMU_IOAS_ALLOC, argument);
    return new Ioas(this, IommuIoasAlloc.ioasId(argument));
  }

  void destroy(int id) throws IOException {
    system.ioctl(fd, IommufdIoctls.IOMMU_DESTROY, new IommuDestroy(id).encode());
  }

  GuestSystem system() {
    return system;
  }

  @Override
  public void close() throws IOException {
    system.close(fd);
  }
}
