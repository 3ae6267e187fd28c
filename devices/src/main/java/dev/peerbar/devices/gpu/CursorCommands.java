package dev.peerbar.devices.gpu;

import dev.peerbar.devices.gpu.GpuStructs.UpdateCursor;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.util.Optional;

/**
 * What the commands of the cursor queue do (Virtual I/O Device 1.3, 5.7.6.10). For the engine's
 * thread.
 */
final class CursorCommands {
  private static final long IMAGE_BYTES = (long) Cursor.SIZE * Cursor.SIZE * Format.PIXEL_BYTES;

  private final DriverState state;
  private final PixelReader pixels;

  CursorCommands(DriverState state, PixelReader pixels) {
    this.state = state;
    this.pixels = pixels;
  }

  /**
   * Carries out a command.
   *
   * @param fields all of its type
   * @throws CommandException if it is to be answered with an error
   */
  Response execute(CommandType type, Fields fields, Job job)
      throws CommandException, JobEndedException {
    Output output = state.output(fields.unsigned(UpdateCursor.SCANOUT_ID));
    // Linux has them with a sign: a cursor may stick out of the left and the top.
    int x = fields.word(UpdateCursor.X);
    int y = fields.word(UpdateCursor.Y);
    output.cursor(
        type == CommandType.MOVE_CURSOR
            ? output.cursor().at(x, y)
            : new Cursor(load(fields.word(UpdateCursor.RESOURCE_ID), job), x, y));
    return Response.OK;
  }

  /** The pixels of a resource as they are now: what becomes of it later changes no cursor. */
  private Optional<int[]> load(int id, Job job) throws CommandException, JobEndedException {
    if (id == 0) {
      return Optional.empty();
    }
    Resource resource = state.resources().get(id);
    int[][] rows =
        switch (resource.contents()) {
          case Resource.Image image -> rows(image);
          case Resource.Blob blob -> rows(resource, blob, job);
        };
    int[] all = new int[Cursor.SIZE * Cursor.SIZE];
    for (int y = 0; y < Cursor.SIZE; y++) {
      System.arraycopy(rows[y], 0, all, y * Cursor.SIZE, Cursor.SIZE);
    }
    return Optional.of(all);
  }

  private static int[][] rows(Resource.Image image) throws CommandException {
    if (image.width() != Cursor.SIZE || image.height() != Cursor.SIZE) {
      throw new CommandException(ResponseType.ERR_INVALID_PARAMETER);
    }
    return image.rows();
  }

  /** Nothing says of which format a blob is. That of Linux's cursors is the only one in use. */
  private int[][] rows(Resource resource, Resource.Blob blob, Job job)
      throws CommandException, JobEndedException {
    if (blob.size() < IMAGE_BYTES) {
      throw new CommandException(ResponseType.ERR_INVALID_PARAMETER);
    }
    int[][] rows = new int[Cursor.SIZE][Cursor.SIZE];
    pixels.read(
        job.dma(),
        resource.requireBacking(),
        Format.B8G8R8A8_UNORM,
        0,
        (long) Cursor.SIZE * Format.PIXEL_BYTES,
        Cursor.SIZE,
        rows,
        0);
    return rows;
  }
}
