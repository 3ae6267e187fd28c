package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * {@code struct drm_mode_modeinfo}, as the kernel gave it: it is given back as it is.
 *
 * @param bytes {@value #SIZE} of them
 */
public record DrmModeInfo(byte[] bytes) {
  public static final int SIZE = 68;
  private static final int HDISPLAY = 4;
  private static final int VDISPLAY = 14;

  static DrmModeInfo read(ByteBuffer from) {
    byte[] bytes = new byte[SIZE];
    from.get(bytes);
    return new DrmModeInfo(bytes);
  }

  /** In pixels. */
  public int width() {
    return Short.toUnsignedInt(Structs.wrap(bytes).getShort(HDISPLAY));
  }

  /** In pixels. */
  public int height() {
    return Short.toUnsignedInt(Structs.wrap(bytes).getShort(VDISPLAY));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof DrmModeInfo(byte[] those) && Arrays.equals(bytes, those);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return width() + "x" + height();
  }
}
