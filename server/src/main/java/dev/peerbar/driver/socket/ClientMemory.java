package dev.peerbar.driver.socket;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.MemorySegment;

/**
 * Memory of a client, in a file that it can share and that nobody can resize, mapped here. The
 * memory is for any thread until {@link #close}; touching it afterwards may end the process.
 */
public final class ClientMemory implements AutoCloseable {
  /** What a client maps at least, in bytes. */
  public static final long PAGE = 4096;

  private final FileDescriptor file;
  private final Mapping mapping;

  /**
   * Makes some, zeroed; pages are there once they are touched.
   *
   * @param name shown in /proc, for people
   * @param size in bytes, positive
   * @throws LinuxException EMFILE, ENFILE, ENOMEM
   */
  public ClientMemory(String name, long size) throws LinuxException {
    file = SharedMemory.create(name, size);
    try {
      mapping = SharedMemory.map(file, 0, size, SharedMemory.Access.READ_WRITE);
    } catch (LinuxException e) {
      file.close();
      throw e;
    }
  }

  /** What is sent with a DMA_MAP. */
  public FileDescriptor file() {
    return file;
  }

  /** The client's own view of it. */
  public MemorySegment bytes() {
    return mapping.segment();
  }

  @Override
  public void close() {
    mapping.close();
    file.close();
  }
}
