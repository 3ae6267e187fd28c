package dev.peerbar.server.dma;

import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileContents;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.FileSystem;
import dev.peerbar.linux.KernelCopy;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.MemorySegment;

/**
 * A file of the client's that is its memory, opened once for all the DMA mappings of it. Reading
 * and writing are for any thread that the {@link Gate} lets in, or lets begin one of the {@link
 * SlowPieces}.
 */
sealed interface ClientFile {

  /** A file and how it may be accessed: a read-only descriptor must not borrow write access. */
  record Key(long device, long inode, boolean writable) {}

  /** Bytes that may be accessed. A client that shrank the file since makes accesses fail. */
  long size();

  /** Frees it. No access may follow, and none be under way but that of a {@link Slow} one. */
  void close();

  /** All bytes, and perhaps some more, if they may simply be touched; else null. */
  default MemorySegment memory() {
    return null;
  }

  /** Bytes that are mapped into this process. */
  default long mapped() {
    return 0;
  }

  /**
   * Opens a file.
   *
   * @param descriptor stays the caller's
   * @param status as it was once the file was sealed, if it is
   * @param reach any way but {@link Reach#BY_MESSAGES}
   */
  static ClientFile open(
      FileDescriptor descriptor, FileStatus status, FileSystem fileSystem, Reach reach)
      throws LinuxException {
    return switch (reach) {
      case TOUCHED, TRUSTED -> {
        Mapping mapping = map(descriptor, status, fileSystem);
        yield new Mapped(mapping, status.size());
      }
      case GUARDED -> guarded(descriptor, status, fileSystem);
      case BY_DESCRIPTOR -> new ByDescriptor(descriptor.duplicate(), status.size());
      case BY_MESSAGES -> throw new IllegalArgumentException("not to be opened");
    };
  }

  private static Mapping map(FileDescriptor descriptor, FileStatus status, FileSystem fileSystem)
      throws LinuxException {
    // Huge pages are mapped, and unmapped, as wholes.
    long page = fileSystem.kind() == FileSystem.Kind.HUGE_PAGES ? fileSystem.blockSize() : 1;
    long length = (status.size() + page - 1) / page * page;
    SharedMemory.Access access =
        status.writable() ? SharedMemory.Access.READ_WRITE : SharedMemory.Access.READ_ONLY;
    return SharedMemory.map(descriptor, 0, length, access);
  }

  private static Guarded guarded(
      FileDescriptor descriptor, FileStatus status, FileSystem fileSystem) throws LinuxException {
    FileDescriptor own = descriptor.duplicate();
    try {
      boolean huge = fileSystem.kind() == FileSystem.Kind.HUGE_PAGES;
      return new Guarded(own, map(own, status, fileSystem), status.size(), huge);
    } catch (LinuxException e) {
      own.close();
      throw e;
    }
  }

  /** Memory that is simply mapped. No descriptor stays open: the mapping keeps the file alive. */
  record Mapped(Mapping mapping, long size) implements ClientFile {

    @Override
    public long mapped() {
      return mapping.segment().byteSize();
    }

    @Override
    public MemorySegment memory() {
      return mapping.segment();
    }

    @Override
    public void close() {
      mapping.close();
    }
  }

  /**
   * Memory that the client may take away at any time, so that only the kernel touches it. It is
   * read from its file, and what is written is read into its mapping from another file, or copied
   * there by {@link KernelCopy}, which is faster for much at once into huge pages. None of this
   * makes the file longer, as a write past its end would, and all of it fails where a page cannot
   * be had.
   *
   * @param huge whether its pages are huge
   */
  record Guarded(FileDescriptor descriptor, Mapping mapping, long size, boolean huge)
      implements ClientFile {
    /** From how many bytes on it pays to have huge pages looked up. */
    private static final long MUCH = 32 << 10;

    /** How often a word is read anew that changed meanwhile. */
    private static final int MOST_LOOKS = 16;

    @Override
    public long mapped() {
      return mapping.segment().byteSize();
    }

    /**
     * Copies out of the file, to a place in a segment.
     *
     * @param bounce for a second look at a word
     * @return whether all of it could be read
     */
    boolean read(long offset, MemorySegment into, long at, long length, Bounce bounce) {
      try {
        if (FileContents.read(descriptor, offset, into, at, length) != length) {
          return false;
        }
        return !isWord(offset, length) || readWhole(offset, into, at, length, bounce);
      } catch (LinuxException _) {
        return false;
      }
    }

    private static boolean isWord(long offset, long length) {
      return length <= Long.BYTES && length > 1 && offset % length == 0;
    }

    /** Looks again until two looks agree: the kernel may copy a word in pieces. */
    private boolean readWhole(long offset, MemorySegment word, long at, long length, Bounce bounce)
        throws LinuxException {
      MemorySegment again = bounce.stage();
      for (int looks = 1; looks < MOST_LOOKS; looks++) {
        if (FileContents.read(descriptor, offset, again, 0, length) != length) {
          return false;
        }
        if (MemorySegment.mismatch(again, 0, length, word, at, at + length) < 0) {
          return true;
        }
        MemorySegment.copy(again, 0, word, at, length);
      }
      return true;
    }

    /**
     * Copies into the file, from a place in a segment that can be mapped.
     *
     * @param bounce what it is copied through
     * @return whether all could be written
     */
    boolean write(long offset, MemorySegment from, long at, long length, Bounce bounce) {
      try {
        if (huge && length >= MUCH && writeAtOnce(offset, from, at, length)) {
          return true;
        }
        MemorySegment stage = bounce.stage();
        for (long done = 0; done < length; ) {
          long part = Math.min(stage.byteSize(), length - done);
          MemorySegment.copy(from, at + done, stage, 0, part);
          FileContents.read(
              bounce.file(), bounce.stageOffset(), mapping.segment(), offset + done, part);
          done += part;
        }
        return true;
      } catch (LinuxException _) {
        return false;
      }
    }

    /** Returns false if a process may not do this here. */
    private boolean writeAtOnce(long offset, MemorySegment from, long at, long length)
        throws LinuxException {
      try {
        KernelCopy.copy(from, at, mapping.segment(), offset, length);
        return true;
      } catch (LinuxException e) {
        if (e.errno() == Errno.EPERM || e.errno() == Errno.ENOSYS) {
          return false;
        }
        throw e;
      }
    }

    /**
     * Copies to another such file.
     *
     * @return null if all could be copied, or what could not be done
     */
    Access copy(long offset, Guarded target, long targetOffset, long length) {
      try {
        MemorySegment into = target.mapping.segment();
        long done = FileContents.read(descriptor, offset, into, targetOffset, length);
        return done == length ? null : Access.READ;
      } catch (LinuxException e) {
        return e.errno() == Errno.EFAULT ? Access.WRITE : Access.READ;
      }
    }

    @Override
    public void close() {
      mapping.close();
      descriptor.close();
    }
  }

  /**
   * A file that may keep whoever reads or writes it waiting, and so is read and written in {@link
   * SlowPieces} only. Closing it may be called while that is under way.
   */
  non-sealed interface Slow extends ClientFile {

    /** Copies out of the file. Returns whether all of it could be read. */
    boolean read(long offset, MemorySegment into, long at, long length);

    /** Copies into the file. Returns whether all could be written. */
    boolean write(long offset, MemorySegment from, long at, long length);
  }

  /**
   * A file that is read and written in its place. Closed, it stays open until the calls that are
   * under way have returned.
   */
  record ByDescriptor(FileDescriptor descriptor, long size) implements Slow {

    @Override
    public boolean read(long offset, MemorySegment into, long at, long length) {
      try {
        return FileContents.read(descriptor, offset, into, at, length) == length;
      } catch (LinuxException _) {
        return false;
      }
    }

    /**
     * {@inheritDoc}
     *
     * <p>A client that cuts its file off between the look at its size and the write has it grow
     * again by what is written: there is no write(2) that would not.
     */
    @Override
    public boolean write(long offset, MemorySegment from, long at, long length) {
      try {
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
