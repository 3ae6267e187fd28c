package dev.peerbar.devices.gpu;

import java.util.Arrays;

/**
 * What an output shows, its cursor aside. Never changes: another one takes its place, which shares
 * the rows that are the same, so that anybody can look at it at any time.
 */
final class Frame {
  private final int width;
  private final int[][] rows;

  private Frame(int width, int[][] rows) {
    this.width = width;
    this.rows = rows;
  }

  static Frame black(int width, int height) {
    int[] row = new int[width];
    Arrays.fill(row, Format.OPAQUE);
    int[][] rows = new int[height][];
    Arrays.fill(rows, row);
    return new Frame(width, rows);
  }

  int width() {
    return width;
  }

  int height() {
    return rows.length;
  }

  /** Copies of rows, to change. */
  int[][] copyOfRows(int first, int count) {
    int[][] copies = new int[count][];
    for (int i = 0; i < count; i++) {
      copies[i] = rows[first + i].clone();
    }
    return copies;
  }

  /**
   * With other rows in place of some. They are this frame's from now on, and made opaque: behind a
   * display nothing shines through.
   */
  Frame with(int first, int[][] others) {
    for (int[] row : others) {
      for (int i = 0; i < row.length; i++) {
        row[i] |= Format.OPAQUE;
      }
    }
    int[][] all = rows.clone();
    System.arraycopy(others, 0, all, first, others.length);
    return new Frame(width, all);
  }

  /** All pixels, row by row, in an array of the caller's. */
  int[] pixels() {
    int[] pixels = new int[width * rows.length];
    for (int y = 0; y < rows.length; y++) {
      System.arraycopy(rows[y], 0, pixels, y * width, width);
    }
    return pixels;
  }
}
