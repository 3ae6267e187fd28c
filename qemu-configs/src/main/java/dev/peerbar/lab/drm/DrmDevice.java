package dev.peerbar.lab.drm;

import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.guest.Scratch;
import dev.peerbar.lab.uapi.DrmGemClose;
import dev.peerbar.lab.uapi.DrmIoctls;
import dev.peerbar.lab.uapi.DrmModeCardRes;
import dev.peerbar.lab.uapi.DrmModeCreateDumb;
import dev.peerbar.lab.uapi.DrmModeCrtc;
import dev.peerbar.lab.uapi.DrmModeDirtyFb;
import dev.peerbar.lab.uapi.DrmModeFbCmd2;
import dev.peerbar.lab.uapi.DrmModeGetConnector;
import dev.peerbar.lab.uapi.DrmModeInfo;
import dev.peerbar.lab.uapi.DrmModeMapDumb;
import dev.peerbar.lab.uapi.DrmPrimeHandle;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;

/**
 * A graphics card of the guest, by its kernel's own driver: one open file of it, with the handles
 * and framebuffers that are that file's. Closing it gives all of them back.
 */
public final class DrmDevice implements AutoCloseable {
  /** {@code DRM_FORMAT_XRGB8888} of drm/drm_fourcc.h: 32 bits, blue in the lowest byte. */
  private static final int XRGB8888 = 0x34325258;

  private static final int MOST_OBJECTS = 16;
  private static final int MOST_MODES = 64;

  private final GuestSystem system;
  private final int fd;
  private boolean closed;

  private DrmDevice(GuestSystem system, int fd) {
    this.system = system;
    this.fd = fd;
  }

  /**
   * Opens the card of a function. Who opens it first is its master, and may set modes.
   *
   * @throws IOException if the function has no driver that makes a card of it
   */
  public static DrmDevice openCard(Guest guest, PciDevice pci) throws IOException {
    return open(guest, pci, "card");
  }

  /** Opens the function's render node, which sets no modes and needs no rights. */
  public static DrmDevice openRenderNode(Guest guest, PciDevice pci) throws IOException {
    return open(guest, pci, "renderD");
  }

  private static DrmDevice open(Guest guest, PciDevice pci, String prefix) throws IOException {
    GuestSystem system = guest.system();
    String cards = pci.attribute("drm");
    if (system.exists(cards)) {
      for (String name : system.list(cards)) {
        if (name.startsWith(prefix)) {
          return new DrmDevice(system, system.open("/dev/dri/" + name, OpenFlag.READ_WRITE));
        }
      }
    }
    throw new IOException("%s has no %s".formatted(pci, prefix));
  }

  /**
   * Imports a DMABUF: the driver attaches to it, and maps it for its device.
   *
   * @param dmabuf a file descriptor of the guest's
   * @return the handle by which this file knows it; the same for the same DMABUF
   */
  public int importDmaBuf(int dmabuf) throws IOException {
    byte[] argument = DrmPrimeHandle.ofFd(dmabuf).encode();
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_PRIME_FD_TO_HANDLE, argument);
    return DrmPrimeHandle.decode(argument).handle();
  }

  /** Exports a buffer; the DMABUF's file descriptor in the guest, the caller's to close. */
  public int exportDmaBuf(int handle) throws IOException {
    byte[] argument = DrmPrimeHandle.ofHandle(handle).encode();
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_PRIME_HANDLE_TO_FD, argument);
    return DrmPrimeHandle.decode(argument).fd();
  }

  /** Gives a handle back. */
  public void closeHandle(int handle) throws IOException {
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_GEM_CLOSE, new DrmGemClose(handle).encode());
  }

  public void setMaster() throws IOException {
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_SET_MASTER, 0);
  }

  public void dropMaster() throws IOException {
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_DROP_MASTER, 0);
  }

  /**
   * A buffer of the kernel's own for pixels.
   *
   * @param pitch bytes from a row to the next
   * @param bytes its size
   */
  public record Dumb(int handle, int pitch, long bytes) {}

  /** Makes a buffer of the kernel's own memory, of 32 bits a pixel. */
  public Dumb createDumb(int width, int height) throws IOException {
    byte[] argument = new DrmModeCreateDumb(width, height).encode();
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_MODE_CREATE_DUMB, argument);
    return new Dumb(
        DrmModeCreateDumb.handle(argument),
        DrmModeCreateDumb.pitch(argument),
        DrmModeCreateDumb.bytes(argument));
  }

  /** Maps such a buffer; the memory is the caller's to close. */
  public GuestMemory map(Dumb buffer) throws IOException {
    byte[] argument = new DrmModeMapDumb(buffer.handle()).encode();
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_MODE_MAP_DUMB, argument);
    return new GuestMemory(
        system,
        system.mmap(
            buffer.bytes(),
            Protection.READ_WRITE,
            EnumSet.of(MapFlag.SHARED),
            fd,
            DrmModeMapDumb.offset(argument)),
        buffer.bytes());
  }

  /**
   * An output with something at it.
   *
   * @param modes the preferred one first
   */
  public record Output(int crtc, int connector, List<DrmModeInfo> modes) {}

  /** The outputs that something is at, in order: connector n with CRTC n. For the master. */
  public List<Output> outputs() throws IOException {
    try (Scratch crtcs = system.agent().scratch(MOST_OBJECTS * Integer.BYTES);
        Scratch connectors = system.agent().scratch(MOST_OBJECTS * Integer.BYTES)) {
      byte[] argument =
          new DrmModeCardRes(crtcs.address(), connectors.address(), MOST_OBJECTS).encode();
      system.ioctl(fd, DrmIoctls.DRM_IOCTL_MODE_GETRESOURCES, argument);
      int[] crtcIds = DrmModeCardRes.crtcs(argument, crtcs.read());
      int[] connectorIds = DrmModeCardRes.connectors(argument, connectors.read());
      List<Output> outputs = new ArrayList<>();
      for (int i = 0; i < Math.min(crtcIds.length, connectorIds.length); i++) {
        output(crtcIds[i], connectorIds[i]).ifPresent(outputs::add);
      }
      return outputs;
    }
  }

  private Optional<Output> output(int crtc, int connector) throws IOException {
    // First the kernel looks for modes, then it tells of them.
    system.ioctl(
        fd,
        DrmIoctls.DRM_IOCTL_MODE_GETCONNECTOR,
        new DrmModeGetConnector(connector, 0, 0).encode());
    try (Scratch modes = system.agent().scratch(MOST_MODES * DrmModeInfo.SIZE)) {
      byte[] argument = new DrmModeGetConnector(connector, modes.address(), MOST_MODES).encode();
      system.ioctl(fd, DrmIoctls.DRM_IOCTL_MODE_GETCONNECTOR, argument);
      return DrmModeGetConnector.connected(argument)
          ? Optional.of(
              new Output(crtc, connector, DrmModeGetConnector.modes(argument, modes.read())))
          : Optional.empty();
    }
  }

  /**
   * Makes a framebuffer of a buffer, of 32 bits a pixel without alpha (XRGB8888); its number.
   *
   * @param pitch bytes from a row to the next
   * @param offset of the first row, in bytes
   */
  public int addFramebuffer(int handle, int width, int height, int pitch, int offset)
      throws IOException {
    byte[] argument = new DrmModeFbCmd2(width, height, XRGB8888, handle, pitch, offset).encode();
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_MODE_ADDFB2, argument);
    return DrmModeFbCmd2.framebuffer(argument);
  }

  /** Takes a framebuffer away; what shows it shows nothing then. */
  public void removeFramebuffer(int framebuffer) throws IOException {
    byte[] argument =
        ByteBuffer.allocate(Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(framebuffer)
            .array();
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_MODE_RMFB, argument);
  }

  /** Shows a framebuffer at an output, in its preferred mode. For the master. */
  public void show(Output output, int framebuffer) throws IOException {
    set(output, framebuffer, Optional.of(output.modes().getFirst()));
  }

  /** Shows nothing at an output. For the master. */
  public void disable(Output output) throws IOException {
    set(output, 0, Optional.empty());
  }

  private void set(Output output, int framebuffer, Optional<DrmModeInfo> mode) throws IOException {
    byte[] connector =
        ByteBuffer.allocate(Integer.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(output.connector())
            .array();
    try (Scratch connectors = system.agent().scratch(connector.length)) {
      system.agent().write(connectors.address(), connector);
      system.ioctl(
          fd,
          DrmIoctls.DRM_IOCTL_MODE_SETCRTC,
          new DrmModeCrtc(output.crtc(), connectors.address(), framebuffer, mode).encode());
    }
  }

  /** Has all of a framebuffer shown anew: its pixels have changed. */
  public void flush(int framebuffer) throws IOException {
    system.ioctl(fd, DrmIoctls.DRM_IOCTL_MODE_DIRTYFB, new DrmModeDirtyFb(framebuffer).encode());
  }

  /** Closes the file; more than once is once. */
  @Override
  public void close() throws IOException {
    if (!closed) {
      closed = true;
      system.close(fd);
    }
  }
}
