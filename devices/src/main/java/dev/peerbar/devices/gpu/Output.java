package dev.peerbar.devices.gpu;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Picture;
import java.util.Optional;

/**
 * A display: which resource it shows, and what it has shown of that at the last flush. For the
 * engine's thread, but for {@link #picture}.
 */
final class Output {
  private final PixelReader reader;
  private final HostMemory memory;
  private Optional<Scanout> scanout = Optional.empty();

  private volatile Optional<Frame> frame = Optional.empty();
  private volatile Cursor cursor = Cursor.HIDDEN;

  Output(PixelReader reader, HostMemory memory) {
    this.reader = reader;
    this.memory = memory;
  }

  /**
   * Shows something else from the next flush on. Until then it goes on to show what it does, or is
   * black if that is of another size.
   */
  void show(Scanout next) throws CommandException {
    int width = (int) next.rectangle().width();
    int height = (int) next.rectangle().height();
    Optional<Frame> before = frame;
    boolean same =
        before.filter(shown -> shown.width() == width && shown.height() == height).isPresent();
    if (!same) {
      memory.replace(hostBytes(before), HostMemory.ofPixels(width, height));
      frame = Optional.of(Frame.black(width, height));
    }
    scanout = Optional.of(next);
  }

  /** Shows nothing. */
  void disable() {
    memory.release(hostBytes(frame));
    frame = Optional.empty();
    scanout = Optional.empty();
  }

  private static long hostBytes(Optional<Frame> frame) {
    return frame.map(shown -> HostMemory.ofPixels(shown.width(), shown.height())).orElse(0L);
  }

  boolean shows(Resource resource) {
    return scanout.filter(shown -> shown.resource() == resource).isPresent();
  }

  /**
   * Brings what it shows up to date, or leaves it as it is if that cannot be read.
   *
   * @param part of the resource's framebuffer, which may be beyond what is shown
   */
  void flush(Dma dma, Rectangle part) throws CommandException, JobEndedException {
    Scanout shown = scanout.orElseThrow();
    Rectangle changed = part.intersect(shown.rectangle());
    if (changed.empty()) {
      return;
    }
    int column = (int) (changed.x() - shown.rectangle().x());
    int row = (int) (changed.y() - shown.rectangle().y());
    Frame before = frame.orElseThrow();
    int[][] rows = before.copyOfRows(row, (int) changed.height());
    switch (shown.framebuffer()) {
      case Scanout.Kept(Resource.Image image) -> copy(image, changed, rows, column);
      case Scanout.InBlob(Format format, long stride, long offset) ->
          reader.read(
              dma,
              shown.resource().requireBacking(),
              format,
              offset + changed.y() * stride + changed.x() * Format.PIXEL_BYTES,
              stride,
              (int) changed.width(),
              rows,
              column);
    }
    frame = Optional.of(before.with(row, rows));
  }

  private static void copy(Resource.Image from, Rectangle part, int[][] rows, int column) {
    for (int i = 0; i < rows.length; i++) {
      int[] row = from.rows()[(int) part.y() + i];
      System.arraycopy(row, (int) part.x(), rows[i], column, (int) part.width());
    }
  }

  Cursor cursor() {
    return cursor;
  }

  void cursor(Cursor next) {
    cursor = next;
  }

  /** What it shows now; empty if that is nothing. For any thread, which waits for nobody. */
  Optional<Picture> picture() {
    Cursor above = cursor;
    return frame.map(shown -> {
      int[] pixels = shown.pixels();
      above.over(pixels, shown.width(), shown.height());
      return new Picture(shown.width(), shown.height(), pixels);
    });
  }
}
