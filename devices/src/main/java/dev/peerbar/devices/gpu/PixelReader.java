package dev.peerbar.devices.gpu;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Scratch;
import java.lang.foreign.MemorySegment;

/** Reads pixels from client memory and converts them. For the engine's thread. */
final class PixelReader {
  /** Bytes of one transfer at most: more than the longest row. */
  static final int PIECE_BYTES = 1 << 20;

  private final Scratch scratch;

  /**
   * @param scratch at least {@link #PIECE_BYTES}
   */
  PixelReader(Scratch scratch) {
    this.scratch = scratch;
  }

  /**
   * Reads rows. Only bytes of theirs are read: what is between them may be anybody's. Rows with
   * nothing between them are read together.
   *
   * @param offset of the first pixel in the backing, which covers all that is read
   * @param stride bytes from a row to the next
   * @param width pixels of a row, at most {@link GpuLimits#MOST_PIXELS}
   * @param rows where they go
   * @param column of the first pixel in each of those
   * @throws CommandException if a byte cannot be read; rows before it have been converted
   */
  void read(
      Dma dma,
      Backing backing,
      Format format,
      long offset,
      long stride,
      int width,
      int[][] rows,
      int column)
      throws CommandException, JobEndedException {
    int rowBytes = width * Format.PIXEL_BYTES;
    if (rowBytes == 0) {
      return;
    }
    int together = stride == rowBytes ? PIECE_BYTES / rowBytes : 1;
    for (int row = 0; row < rows.length; row += together) {
      int count = Math.min(together, rows.length - row);
      MemorySegment piece = scratch.first((long) count * rowBytes);
      backing.read(dma, offset + row * stride, piece);
      for (int i = 0; i < count; i++) {
        format.convert(piece, (long) i * rowBytes, rows[row + i], column, width);
      }
    }
  }
}
