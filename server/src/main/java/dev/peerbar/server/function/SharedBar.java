package dev.peerbar.server.function;

import dev.peerbar.linux.FileContents;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.MemorySegment;
import java.util.OptionalLong;

/** The memory behind a BAR: a file that no client can resize, mapped here. */
final class SharedBar implements AutoCloseable {
  private final FileDescriptor descriptor;
  private final Mapping mapping;

  /**
   * @param size in bytes; pages take host memory only once touched
   */
  SharedBar(String name, long size) throws LinuxException {
    descriptor = SharedMemory.create(name, size);
    try {
      mapping = SharedMemory.map(descriptor, 0, size, SharedMemory.Access.READ_WRITE);
    } catch (LinuxException e) {
      descriptor.close();
      throw e;
    }
  }

  FileDescriptor descriptor() {
    return descriptor;
  }

  MemorySegment memory() {
    return mapping.segment();
  }

  /** Makes it all read as zeros, in time that depends on the pages touched, not on the size. */
  void zero() {
    try {
      FileContents.punchHole(descriptor, 0, mapping.segment().byteSize());
    } catch (LinuxException e) {
      // Every Linux with memfd_create can.
      throw new IllegalStateException(e);
    }
  }

  /** Where the next memory is that was ever touched, from an offset on; empty if there is none. */
  OptionalLong nextData(long offset) {
    try {
      return FileContents.nextData(descriptor, offset);
    } catch (LinuxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Where the touched memory at an offset ends. */
  long nextHole(long offset) {
    try {
      return FileContents.nextHole(descriptor, offset).orElse(mapping.segment().byteSize());
    } catch (LinuxException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    mapping.close();
    descriptor.close();
  }
}
