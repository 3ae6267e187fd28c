package dev.peerbar.server.storage;

import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.PrivateMemory;
import dev.peerbar.storage.MemoryStorage;
import dev.peerbar.storage.Storage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Pages of this process, taken when they are first written and given back when they are discarded.
 *
 * <p>Anonymous memory rather than a memory file: reading what was never written takes no page, and
 * no descriptor is needed.
 */
public final class HostMemory implements MemoryStorage.Memory {
  private final Mapping mapping;

  private HostMemory(Mapping mapping) {
    this.mapping = mapping;
  }

  /**
   * Storage of zeros.
   *
   * @param size in bytes, positive; may be more than there is room for, as long as not all of it is
   *     written
   * @throws IOException with a sentence if the system refuses
   */
  public static Storage storage(long size) throws IOException {
    try {
      return new MemoryStorage(new HostMemory(PrivateMemory.map(size)));
    } catch (LinuxException e) {
      throw new IOException(
          "%d bytes of memory cannot be had: %s".formatted(size, e.getMessage()), e);
    }
  }

  @Override
  public MemorySegment segment() {
    return mapping.segment();
  }

  @Override
  public void giveBack(long position, long length) {
    try {
      PrivateMemory.giveBack(mapping, position, length);
    } catch (LinuxException e) {
      // Pages that are locked into memory, or larger than 4 KiB.
      mapping.segment().asSlice(position, length).fill((byte) 0);
    }
  }

  @Override
  public void close() {
    mapping.close();
  }
}
