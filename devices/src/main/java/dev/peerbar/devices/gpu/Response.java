package dev.peerbar.devices.gpu;

import java.lang.foreign.MemorySegment;

/**
 * What a command is answered with.
 *
 * @param payload what follows the header
 */
record Response(ResponseType type, byte[] payload) {
  /** The longest: struct virtio_gpu_resp_edid. */
  static final int MOST_BYTES = 1056;

  private static final byte[] NOTHING = {};

  static final Response OK = of(ResponseType.OK_NODATA);

  static Response of(ResponseType type) {
    return new Response(type, NOTHING);
  }

  int bytes() {
    return Header.BYTES + payload.length;
  }

  /** Writes all of it. */
  void to(MemorySegment bytes, Header request) {
    request.answeredWith(type).to(bytes);
    MemorySegment.copy(MemorySegment.ofArray(payload), 0, bytes, Header.BYTES, payload.length);
  }
}
