package dev.peerbar.devices.gpu;

import java.util.Optional;

/**
 * The cursor of an output. Never changes.
 *
 * @param image its pixels row by row, ARGB, the colors multiplied by alpha already as Linux has
 *     them; empty if it is not shown
 * @param x of its left column, which may be outside the output; its hot spot says where it points,
 *     and nothing of where it is
 * @param y of its top row
 */
record Cursor(Optional<int[]> image, int x, int y) {
  /** Of either side, in pixels (Virtual I/O Device 1.3, 5.7.6.6). */
  static final int SIZE = 64;

  static final Cursor HIDDEN = new Cursor(Optional.empty(), 0, 0);

  private static final int COMPONENT = 0xff;

  Cursor at(int newX, int newY) {
    return new Cursor(image, newX, newY);
  }

  /** Draws it over an image. */
  void over(int[] pixels, int width, int height) {
    if (image.isEmpty()) {
      return;
    }
    int[] own = image.get();
    for (int row = 0; row < SIZE; row++) {
      long toY = (long) y + row;
      if (toY < 0 || toY >= height) {
        continue;
      }
      for (int column = 0; column < SIZE; column++) {
        long toX = (long) x + column;
        if (toX >= 0 && toX < width) {
          int at = (int) (toY * width + toX);
          pixels[at] = blend(own[row * SIZE + column], pixels[at]);
        }
      }
    }
  }

  /** A pixel over an opaque one. */
  private static int blend(int over, int under) {
    int transparency = COMPONENT - (over >>> 24);
    return Format.OPAQUE
        | component(over, under, 16, transparency)
        | component(over, under, 8, transparency)
        | component(over, under, 0, transparency);
  }

  private static int component(int over, int under, int shift, int transparency) {
    int below = (under >>> shift & COMPONENT) * transparency;
    int sum = (over >>> shift & COMPONENT) + (below + COMPONENT / 2) / COMPONENT;
    return Math.min(sum, COMPONENT) << shift;
  }
}
