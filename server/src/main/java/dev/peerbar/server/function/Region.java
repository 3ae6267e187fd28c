package dev.peerbar.server.function;

import dev.peerbar.linux.FileDescriptor;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * A region of the function, by its index in Linux vfio-pci. Buffers are little-endian; the caller
 * has checked that the access lies inside. For the function's thread.
 */
public interface Region {

  /** In bytes. */
  long size();

  /** Whether an access lies wholly inside. */
  default boolean contains(long offset, long count) {
    return offset >= 0 && offset <= size() - count;
  }

  /** Fills the buffer from {@code offset} on. */
  void read(long offset, ByteBuffer into);

  /** Takes the buffer in from {@code offset} on. */
  void write(long offset, ByteBuffer from);

  /** The part that a client may map, if any. */
  default Optional<Sharing> sharing() {
    return Optional.empty();
  }

  /**
   * How a region can be mapped.
   *
   * @param descriptor of memory as large as the region; stays the region's
   * @param areas the parts that are memory, whole pages; empty if all of it is
   */
  record Sharing(FileDescriptor descriptor, List<Area> areas) {}

  /** A part of a region, in bytes. */
  record Area(long offset, long length) {}
}
