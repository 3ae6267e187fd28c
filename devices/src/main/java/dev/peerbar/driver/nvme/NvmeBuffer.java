package dev.peerbar.driver.nvme;

import dev.peerbar.driver.DmaArea;
import dev.peerbar.driver.DmaRange;
import java.io.IOException;

/**
 * Memory for the data of a command, and for the list of its pages. Its commands are not under way
 * at the same time as those of another {@link #slice} of it, unless they take no list.
 *
 * @param data wherever it is
 * @param list a PRP list's, wherever that is
 */
public record NvmeBuffer(DmaRange data, DmaRange list) {

  /**
   * Whole pages of some memory that nobody else has.
   *
   * @throws IllegalStateException if there are not as many left
   */
  public static NvmeBuffer in(DmaArea memory, long length) {
    return new NvmeBuffer(memory.take(length), memory.take(DataPointer.PAGE));
  }

  /** Some of the data. */
  public NvmeBuffer slice(long offset, long length) {
    return new NvmeBuffer(data.slice(offset, length), list);
  }

  /** A command's data pointer to all of the data; stores the list, if it takes one. */
  public DataPointer pointer() throws IOException {
    return DataPointer.of(data, list);
  }

  /** In bytes. */
  public long length() {
    return data.length();
  }
}
