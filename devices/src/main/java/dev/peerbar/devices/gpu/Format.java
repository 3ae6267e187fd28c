package dev.peerbar.devices.gpu;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * How the four bytes of a pixel lie in memory: the first named comes first (enum
 * virtio_gpu_formats, Virtual I/O Device 1.3, 5.7.6.8).
 */
public enum Format {
  B8G8R8A8_UNORM(1, 2, 1, 0, 3),
  B8G8R8X8_UNORM(2, 2, 1, 0, Format.NONE),
  A8R8G8B8_UNORM(3, 1, 2, 3, 0),
  X8R8G8B8_UNORM(4, 1, 2, 3, Format.NONE),
  R8G8B8A8_UNORM(67, 0, 1, 2, 3),
  X8B8G8R8_UNORM(68, 3, 2, 1, Format.NONE),
  A8B8G8R8_UNORM(121, 3, 2, 1, 0),
  R8G8B8X8_UNORM(134, 0, 1, 2, Format.NONE);

  /** Of a pixel, whatever its format. */
  static final int PIXEL_BYTES = 4;

  static final int OPAQUE = 0xff00_0000;

  private static final int NONE = -1;
  private static final int COMPONENT = 0xff;

  private static final Map<Integer, Format> BY_CODE =
      Arrays.stream(values()).collect(Collectors.toMap(Format::code, Function.identity()));

  private final int code;
  private final int redShift;
  private final int greenShift;
  private final int blueShift;
  private final int alphaShift;

  /** What is set in every pixel of a format without alpha. */
  private final int always;

  Format(int code, int red, int green, int blue, int alpha) {
    this.code = code;
    redShift = red * Byte.SIZE;
    greenShift = green * Byte.SIZE;
    blueShift = blue * Byte.SIZE;
    alphaShift = alpha == NONE ? 0 : alpha * Byte.SIZE;
    always = alpha == NONE ? OPAQUE : 0;
  }

  public int code() {
    return code;
  }

  static Optional<Format> of(int code) {
    return Optional.ofNullable(BY_CODE.get(code));
  }

  /**
   * A pixel with alpha in its upper 8 bits, then red, green and blue; opaque if the format has no
   * alpha.
   *
   * @param word the four bytes, the first in the lowest 8 bits
   */
  public int argb(int word) {
    return (word >>> alphaShift & COMPONENT) << 24
        | (word >>> redShift & COMPONENT) << 16
        | (word >>> greenShift & COMPONENT) << 8
        | word >>> blueShift & COMPONENT
        | always;
  }

  /**
   * Converts pixels that lie one behind another.
   *
   * @param from their bytes
   * @param offset of the first one, in bytes
   * @param into where they go, from {@code at} on
   */
  void convert(MemorySegment from, long offset, int[] into, int at, int pixels) {
    for (int i = 0; i < pixels; i++) {
      into[at + i] = argb(from.get(Fields.INT, offset + (long) i * PIXEL_BYTES));
    }
  }
}
