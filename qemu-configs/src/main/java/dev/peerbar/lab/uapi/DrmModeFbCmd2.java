package dev.peerbar.lab.uapi;

/**
 * {@code struct drm_mode_fb_cmd2}: a framebuffer in one buffer. The answer is its number.
 *
 * @param format a fourcc code of {@code drm/drm_fourcc.h}
 * @param handle the buffer's
 * @param pitch bytes from a row to the next
 * @param offset of the first row, in bytes
 */
public record DrmModeFbCmd2(int width, int height, int format, int handle, int pitch, int offset) {
  public static final int SIZE = 104;
  private static final int PLANES = 4;

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putInt(0)
        .putInt(width)
        .putInt(height)
        .putInt(format)
        .putInt(0)
        .putInt(handle)
        .position((5 + PLANES) * Integer.BYTES)
        .putInt(pitch)
        .position((5 + 2 * PLANES) * Integer.BYTES)
        .putInt(offset)
        .array();
  }

  /** The number, from the argument after the call. */
  public static int framebuffer(byte[] bytes) {
    return Structs.wrap(bytes).getInt(0);
  }
}
