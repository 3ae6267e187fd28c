package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;

/**
 * {@code struct vfio_device_feature}: its argument for features that take no more than numbers, or
 * whose number is only known once a kernel was asked, because they are not in Linux yet.
 *
 * @param feature the number
 */
public record VfioDeviceFeature(int feature) {
  private static final int HEADER = 8;
  private static final int GET = 1 << 16;
  private static final int SET = 1 << 17;
  private static final int PROBE = 1 << 18;

  /** Asks whether it is there, and can be set. */
  public byte[] probeSet() {
    return header(0, PROBE | SET).array();
  }

  /** Asks for it. */
  public byte[] get(int length) {
    return header(length, GET).array();
  }

  /** Sets it to 32-bit numbers, of which a file descriptor usually is the first. */
  public byte[] set(int... values) {
    ByteBuffer argument = header(Integer.BYTES * values.length, SET);
    for (int value : values) {
      argument.putInt(value);
    }
    return argument.array();
  }

  private ByteBuffer header(int length, int flags) {
    return Structs.allocate(HEADER + length).putInt(HEADER + length).putInt(flags | feature);
  }
}
