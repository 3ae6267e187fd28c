package dev.peerbar.lab.uapi;

/** {@code struct drm_mode_fb_dirty_cmd}: all of a framebuffer has changed. */
public record DrmModeDirtyFb(int framebuffer) {
  public static final int SIZE = 24;

  public byte[] encode() {
    return Structs.allocate(SIZE).putInt(framebuffer).array();
  }
}
