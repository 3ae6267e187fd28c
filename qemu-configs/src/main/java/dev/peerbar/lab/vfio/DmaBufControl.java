package dev.peerbar.lab.vfio;

import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.uapi.VfioDeviceFeature;
import dev.peerbar.lab.uapi.VfioIoctls;
import dev.peerbar.linux.Errno;
import java.io.IOException;
import java.util.Optional;

/**
 * What a function's owner can do about DMABUFs that were exported from it: revoke one for ever, and
 * choose how later mappings of it are cached. No released kernel has it, and its features had other
 * numbers in each version of the series that proposes it, so each kernel is asked.
 */
public final class DmaBufControl {
  /**
   * From the first number that Linux 7.3 has no DMABUF feature by to the last that was proposed.
   */
  private static final int FIRST = 13;

  private static final int LAST = 16;

  /** Mappings are uncached. */
  public static final int UNCACHED = 0;

  /** Mappings are write-combined. */
  public static final int WRITE_COMBINED = 1;

  private static final int NO_FILE = -1;

  private final GuestSystem system;
  private final int device;
  private final Optional<VfioDeviceFeature> revoke;
  private final Optional<VfioDeviceFeature> attribute;

  private DmaBufControl(
      GuestSystem system,
      int device,
      Optional<VfioDeviceFeature> revoke,
      Optional<VfioDeviceFeature> attribute) {
    this.system = system;
    this.device = device;
    this.revoke = revoke;
    this.attribute = attribute;
  }

  /**
   * Asks the kernel what there is. The two are told apart by what they say to no file descriptor at
   * all: to revoke takes nothing else, so it misses the file, and the attribute misses its value.
   */
  public static DmaBufControl of(VfioDevice device) throws IOException {
    GuestSystem system = device.pci().system();
    Optional<VfioDeviceFeature> revoke = Optional.empty();
    Optional<VfioDeviceFeature> attribute = Optional.empty();
    for (int number = FIRST; number <= LAST; number++) {
      VfioDeviceFeature feature = new VfioDeviceFeature(number);
      if (answer(system, device.fd(), feature.probeSet()).isPresent()) {
        continue;
      }
      if (missesFile(system, device.fd(), feature.set(NO_FILE))) {
        revoke = Optional.of(feature);
      } else if (missesFile(system, device.fd(), feature.set(NO_FILE, UNCACHED))) {
        attribute = Optional.of(feature);
      }
    }
    return new DmaBufControl(system, device.fd(), revoke, attribute);
  }

  private static boolean missesFile(GuestSystem system, int device, byte[] argument)
      throws IOException {
    return answer(system, device, argument).filter(e -> e.is(Errno.EBADF)).isPresent();
  }

  private static Optional<GuestErrnoException> answer(
      GuestSystem system, int device, byte[] argument) throws IOException {
    try {
      system.ioctl(device, VfioIoctls.VFIO_DEVICE_FEATURE, argument);
      return Optional.empty();
    } catch (GuestErrnoException e) {
      return Optional.of(e);
    }
  }

  /** The feature that revokes, if there is one. */
  public Optional<VfioDeviceFeature> revokeFeature() {
    return revoke;
  }

  /** The feature that chooses how mappings are cached, if there is one. */
  public Optional<VfioDeviceFeature> attributeFeature() {
    return attribute;
  }

  /**
   * Revokes a DMABUF for ever.
   *
   * @param file its descriptor
   */
  public void revoke(int file) throws IOException {
    set(revoke.orElseThrow().set(file));
  }

  /**
   * Chooses how later mappings of a DMABUF are cached.
   *
   * @param file its descriptor
   * @param value such as {@link #UNCACHED}
   */
  public void chooseAttribute(int file, int value) throws IOException {
    set(attribute.orElseThrow().set(file, value));
  }

  /** Makes the call with any argument. */
  public void set(byte[] argument) throws IOException {
    system.ioctl(device, VfioIoctls.VFIO_DEVICE_FEATURE, argument);
  }
}
