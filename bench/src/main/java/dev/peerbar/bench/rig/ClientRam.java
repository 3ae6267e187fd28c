package dev.peerbar.bench.rig;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.MemorySegment;

/** Memory of a client, in a sealed file that it can share. */
public final class ClientRam implements AutoCloseable {
  /** What a client maps at least, in bytes. */
  public static final long PAGE = 4096;

  private final FileDescriptor file;
  private final Mapping mapping;

  /**
   * @param size in bytes; pages are there once they are touched
   */
  public ClientRam(long size) throws LinuxException {
    file = SharedMemory.create("bench-ram", size);
    mapping = SharedMemory.map(file, 0, size, SharedMemory.Access.READ_WRITE);
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
