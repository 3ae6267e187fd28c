package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;

/**
 * {@code struct vfio_device_info}.
 *
 * @param flags {@code VFIO_DEVICE_FLAGS_*}
 * @param regions how many regions there are
 * @param irqs how many interrupt indexes there are
 */
public record VfioDeviceInfo(int flags, int regions, int irqs) {
  public static final int SIZE = 24;
  public static final int FLAGS_RESET = 1;
  public static final int FLAGS_PCI = 1 << 1;

  /** The argument that asks. */
  public static byte[] request() {
    return Structs.allocate(SIZE).putInt(0, SIZE).array();
  }

  public static VfioDeviceInfo decode(byte[] bytes) {
    ByteBuffer b = Structs.wrap(bytes);
    return new VfioDeviceInfo(b.getInt(4), b.getInt(8), b.getInt(12));
  }

  /** Whether VFIO_DEVICE_RESET works: the function has some kind of function-level reset. */
  public boolean resettable() {
    return (flags & FLAGS_RESET) != 0;
  }
}
