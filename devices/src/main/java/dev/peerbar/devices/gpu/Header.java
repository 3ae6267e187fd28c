package dev.peerbar.devices.gpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What every request and every response begins with: struct virtio_gpu_ctrl_hdr (Virtual I/O Device
 * 1.3, 5.7.6.7). For the device and for those who drive one.
 *
 * @param type of the command or of the response
 */
public record Header(int type, int flags, long fenceId, int contextId, byte ringIndex) {
  public static final int BYTES = 24;
  public static final int FLAG_FENCE = 1;
  public static final int FLAG_INFO_RING_IDX = 1 << 1;

  /** Of a request that is too short to have one. */
  static final Header NONE = new Header(0, 0, 0, 0, (byte) 0);

  private static final int TYPE = 0;
  private static final int FLAGS = 4;
  private static final int FENCE_ID = 8;
  private static final int CONTEXT_ID = 16;
  private static final int RING_INDEX = 20;

  /** Reads it: at least {@link #BYTES}. */
  public static Header of(MemorySegment bytes) {
    return new Header(
        bytes.get(Fields.INT, TYPE),
        bytes.get(Fields.INT, FLAGS),
        bytes.get(Fields.LONG, FENCE_ID),
        bytes.get(Fields.INT, CONTEXT_ID),
        bytes.get(ValueLayout.JAVA_BYTE, RING_INDEX));
  }

  /**
   * That of the response: a fence is told again with all that says which one it is, of a request
   * without one nothing.
   */
  Header answeredWith(ResponseType response) {
    return (flags & FLAG_FENCE) == 0
        ? new Header(response.code(), 0, 0, 0, (byte) 0)
        : new Header(
            response.code(),
            flags & (FLAG_FENCE | FLAG_INFO_RING_IDX),
            fenceId,
            contextId,
            ringIndex);
  }

  /** Writes it, padding and all: {@link #BYTES}. */
  public void to(MemorySegment bytes) {
    bytes.asSlice(0, BYTES).fill((byte) 0);
    bytes.set(Fields.INT, TYPE, type);
    bytes.set(Fields.INT, FLAGS, flags);
    bytes.set(Fields.LONG, FENCE_ID, fenceId);
    bytes.set(Fields.INT, CONTEXT_ID, contextId);
    bytes.set(ValueLayout.JAVA_BYTE, RING_INDEX, ringIndex);
  }
}
