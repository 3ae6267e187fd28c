package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * {@code struct drm_mode_crtc}: what a CRTC is to show, on one connector; nothing without a mode.
 *
 * @param connectors address of an array with the connector's number
 * @param framebuffer 0 for none
 */
public record DrmModeCrtc(int crtc, long connectors, int framebuffer, Optional<DrmModeInfo> mode) {
  public static final int SIZE = 104;

  public byte[] encode() {
    ByteBuffer bytes =
        Structs.allocate(SIZE)
            .putLong(connectors)
            .putInt(mode.isPresent() ? 1 : 0)
            .putInt(crtc)
            .putInt(framebuffer)
            .putInt(0)
            .putInt(0)
            .putInt(0)
            .putInt(mode.isPresent() ? 1 : 0);
    mode.ifPresent(m -> bytes.put(m.bytes()));
    return bytes.array();
  }
}
