package dev.peerbar.lab.uapi;

import java.util.stream.IntStream;

/**
 * {@code struct drm_mode_card_res}: what of a card can be set, as numbers in arrays elsewhere in
 * memory; framebuffers and encoders are not asked for.
 *
 * @param crtcs address of an array of {@code room} numbers
 * @param connectors address of another
 */
public record DrmModeCardRes(long crtcs, long connectors, int room) {
  public static final int SIZE = 64;
  private static final int COUNT_CRTCS = 36;
  private static final int COUNT_CONNECTORS = 40;

  public byte[] encode() {
    return Structs.allocate(SIZE)
        .putLong(0)
        .putLong(crtcs)
        .putLong(connectors)
        .putLong(0)
        .putInt(0)
        .putInt(room)
        .putInt(room)
        .array();
  }

  /** The CRTCs, from the argument and their array after the call. */
  public static int[] crtcs(byte[] bytes, byte[] array) {
    return numbers(Structs.wrap(bytes).getInt(COUNT_CRTCS), array);
  }

  /** The connectors, from the argument and their array after the call. */
  public static int[] connectors(byte[] bytes, byte[] array) {
    return numbers(Structs.wrap(bytes).getInt(COUNT_CONNECTORS), array);
  }

  private static int[] numbers(int count, byte[] array) {
    int room = array.length / Integer.BYTES;
    return IntStream.range(0, Math.min(count, room))
        .map(i -> Structs.wrap(array).getInt(i * Integer.BYTES))
        .toArray();
  }
}
