package dev.peerbar.lab.uapi;

/** {@code struct drm_gem_close}: a handle that is not needed any more. */
public record DrmGemClose(int handle) {
  public static final int SIZE = 8;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(handle).array();
  }
}
