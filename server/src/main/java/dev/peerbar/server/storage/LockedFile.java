package dev.peerbar.server.storage;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileContents;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileLocks;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.LinuxException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** A file or block device that no other server of this kind, and no QEMU, writes meanwhile. */
final class LockedFile implements BlockFile {
  /**
   * Where QEMU locks bytes of an image to tell what it does with it, and what it stands nobody else
   * doing (block/file-posix.c): one byte for each permission.
   */
  private static final long DOES = 100;

  private static final long TOLERATES_NOT = 200;
  private static final long PERMISSION_READ = 0;
  private static final long PERMISSION_WRITE = 1;
  private static final long PERMISSION_RESIZE = 3;

  private final FileDescriptor file;
  private final boolean device;

  private LockedFile(FileDescriptor file, boolean device) {
    this.file = file;
    this.device = device;
  }

  /**
   * Opens a regular file or a block device.
   *
   * @throws IOException with a sentence that says why it cannot be served
   */
  static LockedFile open(Path path) throws IOException {
    FileDescriptor file;
    try {
      file = FileContents.open(path);
    } catch (LinuxException e) {
      throw new IOException(refusal(path, e), e);
    }
    try {
      FileStatus.Type type = FileStatus.of(file).type();
      boolean device = type == FileStatus.Type.BLOCK_DEVICE;
      if (!device && type != FileStatus.Type.REGULAR) {
        throw new IOException(path + " is neither a file nor a block device");
      }
      if (device) {
        file.close();
        file = FileContents.openUnusedDevice(path);
      }
      lock(path, file);
      return new LockedFile(file, device);
    } catch (LinuxException e) {
      file.close();
      throw new IOException(refusal(path, e), e);
    } catch (IOException e) {
      file.close();
      throw e;
    }
  }

  private static void lock(Path path, FileDescriptor file) throws IOException {
    boolean free =
        FileLocks.share(file, DOES + PERMISSION_READ)
            && FileLocks.share(file, DOES + PERMISSION_WRITE)
            && FileLocks.share(file, TOLERATES_NOT + PERMISSION_WRITE)
            && FileLocks.share(file, TOLERATES_NOT + PERMISSION_RESIZE)
            // Of two who come at once both may see the other, and both go: better than to stay.
            && !FileLocks.isLockedByOthers(file, TOLERATES_NOT + PERMISSION_READ)
            && !FileLocks.isLockedByOthers(file, TOLERATES_NOT + PERMISSION_WRITE)
            && !FileLocks.isLockedByOthers(file, DOES + PERMISSION_WRITE)
            && !FileLocks.isLockedByOthers(file, DOES + PERMISSION_RESIZE);
    if (!free) {
      throw new IOException(path + " is in use: another server or a virtual machine has it open");
    }
  }

  private static String refusal(Path path, LinuxException e) {
    return switch (e.errno()) {
      case ENOENT -> "there is no image " + path;
      case EISDIR -> path + " is a directory";
      case EACCES, EPERM -> path + " may not be read and written: permission denied";
      case EROFS -> path + " cannot be written: its file system is read-only";
      case EBUSY -> path + " is in use: it is mounted, or something else has it for itself";
      default -> "%s cannot be served: %s".formatted(path, e.getMessage());
    };
  }

  /** Whether it is a block device, whose size nobody changes. */
  boolean isDevice() {
    return device;
  }

  @Override
  public long length() throws LinuxException {
    return FileContents.length(file);
  }

  @Override
  public long read(long position, MemorySegment into) throws LinuxException {
    return FileContents.read(file, position, into);
  }

  @Override
  public boolean readNow(long position, MemorySegment into) {
    return FileContents.readNow(file, position, into);
  }

  @Override
  public void write(long position, MemorySegment from) throws LinuxException {
    FileContents.write(file, position, from);
  }

  @Override
  public void sync() throws LinuxException {
    FileContents.sync(file);
  }

  @Override
  public void punchHole(long position, long length) throws LinuxException {
    FileContents.punchHole(file, position, length);
  }

  @Override
  public void zeroRange(long position, long length) throws LinuxException {
    FileContents.zeroRange(file, position, length);
  }

  /** Whether holes can be punched, found out where the file has no bytes. */
  boolean canPunchHoles() throws IOException {
    if (device) {
      // There is nothing behind its end to try it with.
      return false;
    }
    try {
      FileContents.punchHole(file, length(), 1);
      return true;
    } catch (LinuxException e) {
      if (e.errno() == Errno.EOPNOTSUPP) {
        return false;
      }
      throw e;
    }
  }

  @Override
  public void close() {
    file.close();
  }
}
