package dev.peerbar.server.dma;

import dev.peerbar.linux.FileContents;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.MemorySegment;

/**
 * A file of the client's that is its memory, opened once for all the DMA mappings of it. Reading
 * and writing are for any thread that the {@link Gate} lets in.
 */
sealed interface ClientFile {

  /** A file and how it may be accessed: a read-only descriptor must not borrow write access. */
  record Key(long device, long inode, boolean writable) {}

  /** Bytes that may be accessed. A client that shrank the file since makes accesses fail. */
  long size();

  /** Copies out of the file, to a place in a segment. Returns whether all of it could be read. */
  boolean read(long offset, MemorySegment into, long at, long length);

  /** Copies into the file, from a place in a segment. Returns whether all could be written. */
  boolean write(long offset, MemorySegment from, long at, long length);

  /** Frees it. No access may follow or be under way. */
  void close();

  /**
   * Opens a file: mapped whole if its size is {@code sealed}, else by descriptor. Touching a mapped
   * page that the client has cut off would raise SIGBUS, which a JVM reports late and anywhere;
   * pread and pwrite just come back short.
   *
   * @param descriptor stays the caller's
   * @param status as it was once the file was sealed
   */
  static ClientFile open(FileDescriptor descriptor, FileStatus status, boolean sealed)
      throws LinuxException {
    if (!sealed) {
      return new ByDescriptor(descriptor.duplicate(), status.size());
    }
    SharedMemory.Access access =
        status.writable() ? SharedMemory.Access.READ_WRITE : SharedMemory.Access.READ_ONLY;
    return new Mapped(SharedMemory.map(descriptor, 0, status.size(), access));
  }

  /** Sealed shared memory. No descriptor stays open: the mapping keeps the file alive. */
  record Mapped(Mapping mapping) implements ClientFile {

    @Override
    public long size() {
      return mapping.segment().byteSize();
    }

    @Override
    public boolean read(long offset, MemorySegment into, long at, long length) {
      MemorySegment.copy(mapping.segment(), offset, into, at, length);
      return true;
    }

    @Override
    public boolean write(long offset, MemorySegment from, long at, long length) {
      MemorySegment.copy(from, at, mapping.segment(), offset, length);
      return true;
    }

    @Override
    public void close() {
      mapping.close();
    }
  }

  /** A file whose size the client can change. */
  record ByDescriptor(FileDescriptor descriptor, long size) implements ClientFile {

    @Override
    public boolean read(long offset, MemorySegment into, long at, long length) {
      try {
        return FileContents.read(descriptor, offset, into.asSlice(at, length)) == length;
      } catch (LinuxException _) {
        return false;
      }
    }

    @Override
    public boolean write(long offset, MemorySegment from, long at, long length) {
      try {
        // A write past the end would make the client's file grow again.
        if (offset + length > FileStatus.of(descriptor).size()) {
          return false;
        }
        FileContents.write(descriptor, offset, from.asSlice(at, length));
        return true;
      } catch (LinuxException _) {
        return false;
      }
    }

    @Override
    public void close() {
      descriptor.close();
    }
  }
}
