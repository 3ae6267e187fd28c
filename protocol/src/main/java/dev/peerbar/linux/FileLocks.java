package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Advisory locks on bytes of a file, which belong to the open file and go with it (fcntl(2), open
 * file description locks). The bytes need not exist.
 */
public final class FileLocks {
  private static final short F_RDLCK = 0;
  private static final short F_WRLCK = 1;
  private static final short F_UNLCK = 2;
  private static final short SEEK_SET = 0;

  // struct flock on a 64-bit machine.
  private static final long L_TYPE = 0;
  private static final long L_WHENCE = 2;
  private static final long L_START = 8;
  private static final long L_LEN = 16;
  private static final long FLOCK_LENGTH = 32;

  private FileLocks() {}

  /**
   * Locks one byte, beside others who have it locked in the same way.
   *
   * @return false if somebody has locked it for himself alone
   * @throws LinuxException ENOLCK or another error of a file system that has no locks
   */
  public static boolean share(FileDescriptor file, long offset) throws LinuxException {
    int number = file.acquire("fcntl");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment lock = lock(arena, F_RDLCK, offset);
      if (Libc.fcntl(number, Libc.F_OFD_SETLK, lock.address()) == 0) {
        return true;
      }
      int code = Libc.errno();
      if (code == Errno.EAGAIN.code() || code == Errno.EACCES.code()) {
        return false;
      }
      throw new LinuxException("fcntl", code);
    } finally {
      file.release();
    }
  }

  /**
   * Whether another open file has a byte locked, in any way.
   *
   * @throws LinuxException an error of a file system that has no locks
   */
  public static boolean isLockedByOthers(FileDescriptor file, long offset) throws LinuxException {
    int number = file.acquire("fcntl");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment lock = lock(arena, F_WRLCK, offset);
      Libc.check("fcntl", Libc.fcntl(number, Libc.F_OFD_GETLK, lock.address()));
      return lock.get(JAVA_SHORT, L_TYPE) != F_UNLCK;
    } finally {
      file.release();
    }
  }

  private static MemorySegment lock(Arena arena, short type, long offset) {
    MemorySegment lock = arena.allocate(FLOCK_LENGTH, Long.BYTES);
    lock.set(JAVA_SHORT, L_TYPE, type);
    lock.set(JAVA_SHORT, L_WHENCE, SEEK_SET);
    lock.set(JAVA_LONG, L_START, offset);
    lock.set(JAVA_LONG, L_LEN, 1);
    return lock;
  }
}
