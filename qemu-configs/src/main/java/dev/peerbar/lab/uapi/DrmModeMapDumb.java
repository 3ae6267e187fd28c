package dev.peerbar.lab.uapi;

/** {@code struct drm_mode_map_dumb}: the answer is where in the file mmap finds the buffer. */
public record DrmModeMapDumb(int handle) {
  public static final int SIZE = 16;
  private static final int OFFSET = 8;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(handle).array();
  }

  /** The offset, from the argument after the call. */
  public static long offset(byte[] bytes) {
    return Structs.wrap(bytes).getLong(OFFSET);
  }
}
