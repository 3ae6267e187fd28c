package dev.peerbar.endpoint;

/**
 * What an output showed at some time, its cursor on top.
 *
 * @param width pixels
 * @param height pixels
 * @param argb row by row from the top left: 8 bits each of alpha (always 0xff), red, green and
 *     blue, blue the lowest; the holder's own
 */
public record Picture(int width, int height, int[] argb) {

  /** A pixel, counted from the top left. */
  public int pixel(int x, int y) {
    return argb[y * width + x];
  }
}
