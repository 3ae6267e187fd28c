package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** Event descriptors (eventfd(2)): counters that one process raises and another waits for. */
public final class EventDescriptor {
  private static final int EFD_NONBLOCK = 0x800;
  private static final int EFD_CLOEXEC = 0x80000;
  private static final String LINK = "anon_inode:[eventfd]";

  /** The counter going out or coming in, per thread. */
  private static final ThreadLocal<MemorySegment> COUNT =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(JAVA_LONG));

  private EventDescriptor() {}

  /**
   * Creates one with a count of zero, non-blocking, closed on exec.
   *
   * @throws LinuxException EMFILE, ENFILE, ENOMEM
   */
  public static FileDescriptor create() throws LinuxException {
    return FileDescriptor.adopt(Libc.check("eventfd", Libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)));
  }

  /**
   * Adds one to the count, without waiting: a count that is full says all that it can.
   *
   * <p>For any thread. Allocates nothing.
   *
   * @throws LinuxException EBADF if it is closed, EINVAL if it is no event descriptor
   */
  public static void signal(FileDescriptor event) throws LinuxException {
    int number = event.acquire("write");
    try {
      // The flags of the open file are the client's to change, so O_NONBLOCK may be missing. A
      // write
      // to a full counter would then wait for as long as the client likes.
      if (!Poll.ready(number, Poll.POLLOUT)) {
        return;
      }
      MemorySegment count = COUNT.get();
      count.set(JAVA_LONG, 0, 1);
      if (Libc.write(number, count.address(), Long.BYTES) < 0) {
        int errno = Libc.errno();
        if (errno != Errno.EAGAIN.code()) {
          throw new LinuxException("write", errno);
        }
      }
    } finally {
      event.release();
    }
  }

  /**
   * Takes the count and leaves zero, without waiting.
   *
   * @return the number of signals since the last time, unsigned; zero if there was none
   * @throws LinuxException EBADF if it is closed, EINVAL if it is no event descriptor
   */
  public static long read(FileDescriptor event) throws LinuxException {
    int number = event.acquire("read");
    try {
      return take(number);
    } finally {
      event.release();
    }
  }

  /**
   * Waits for a signal, and takes the count.
   *
   * @return zero if the time passed without one
   * @throws LinuxException as {@link #read}
   */
  public static long await(FileDescriptor event, Duration timeout) throws LinuxException {
    long deadline = System.nanoTime() + timeout.toNanos();
    int number = event.acquire("read");
    try {
      while (true) {
        long count = take(number);
        Duration left = Duration.ofNanos(deadline - System.nanoTime());
        if (count != 0 || left.isNegative()) {
          return count;
        }
        Poll.await(number, Poll.POLLIN, left);
      }
    } finally {
      event.release();
    }
  }

  private static long take(int number) throws LinuxException {
    if (!Poll.ready(number, Poll.POLLIN)) {
      return 0;
    }
    MemorySegment count = COUNT.get();
    if (Libc.read(number, count.address(), Long.BYTES) < 0) {
      int errno = Libc.errno();
      if (errno != Errno.EAGAIN.code()) {
        throw new LinuxException("read", errno);
      }
      return 0;
    }
    return count.get(JAVA_LONG, 0);
  }

  /**
   * Whether the descriptor is an event descriptor, by what /proc says of it: the kernel has no call
   * for this question.
   *
   * @throws LinuxException EBADF if it is closed
   */
  public static boolean isEventDescriptor(FileDescriptor file) throws LinuxException {
    int number = file.acquire("readlink");
    try {
      return Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(number)))
          .toString()
          .equals(LINK);
    } catch (LinuxException e) {
      throw e;
    } catch (IOException e) {
      return false;
    } finally {
      file.release();
    }
  }
}
