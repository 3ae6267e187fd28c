package dev.peerbar.lab.uapi;

/** {@code struct drm_mode_create_dumb}: a buffer of 32 bits a pixel. */
public record DrmModeCreateDumb(int width, int height) {
  public static final int SIZE = 32;
  private static final int BITS = 32;
  private static final int HANDLE = 16;
  private static final int PITCH = 20;
  private static final int BYTES = 24;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(height).putInt(width).putInt(BITS).array();
  }

  /** The handle, from the argument after the call. */
  public static int handle(byte[] bytes) {
    return Structs.wrap(bytes).getInt(HANDLE);
  }

  /** Bytes from a row to the next, from the argument after the call. */
  public static int pitch(byte[] bytes) {
    return Structs.wrap(bytes).getInt(PITCH);
  }

  /** Its size in bytes, from the argument after the call. */
  public static long bytes(byte[] bytes) {
    return Structs.wrap(bytes).getLong(BYTES);
  }
}
