package dev.peerbar.devices.gpu;

/** How much of this process's memory a driver has, and may have. For the engine's thread. */
final class HostMemory {
  /** Of an array, beside its elements: about what a JVM needs. */
  private static final int ARRAY_BYTES = 24;

  private final long limit;
  private long used;

  /**
   * @param limit in bytes
   */
  HostMemory(long limit) {
    this.limit = limit;
  }

  /** What pixels need that are kept row by row. Neither side is above 2^31. */
  static long ofPixels(long width, long height) {
    return height * (width * Integer.BYTES + ARRAY_BYTES);
  }

  /** What a list of backing entries needs. */
  static long ofEntries(long entries) {
    return entries * 2 * Long.BYTES + 2 * ARRAY_BYTES;
  }

  /**
   * Takes bytes in place of others.
   *
   * @param before what is given back for them
   * @throws CommandException if it would be too much: nothing has changed then
   */
  void replace(long before, long after) throws CommandException {
    check(after - before);
    used += after - before;
  }

  /**
   * Looks whether there is room, and takes nothing.
   *
   * @throws CommandException if there is none
   */
  void check(long bytes) throws CommandException {
    if (used + bytes > limit) {
      throw new CommandException(ResponseType.ERR_OUT_OF_MEMORY);
    }
  }

  void take(long bytes) throws CommandException {
    replace(0, bytes);
  }

  void release(long bytes) {
    used -= bytes;
  }

  long used() {
    return used;
  }
}
