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

  // The counter going out or coming in, and a struct iovec of it.
  private static final long COUNTER = 0;
  private static final long IOV_BASE = 8;
  private static final long IOV_LEN = 16;
  private static final long SIZE = 24;

  /** Per thread. */
  private static final ThreadLocal<MemorySegment> COUNT =
      ThreadLocal.withInitial(() -> {
        MemorySegment memory = Arena.ofAuto().allocate(SIZE, Long.BYTES);
        memory.set(JAVA_LONG, IOV_BASE, memory.address() + COUNTER);
        memory.set(JAVA_LONG, IOV_LEN, Long.BYTES);
        return memory;
      });

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
   * <p>For any thread. Allocates nothing. Who shares the open file can make this wait after all, by
   * clearing O_NONBLOCK and filling the count between two system calls here: for descriptors of
   * those who are not trusted there is {@link EventSignaller}.
   *
   * @throws LinuxException EBADF if it is closed, EINVAL if it is no event descriptor
   */
  public static void signal(FileDescriptor event) throws LinuxException {
    int number = event.acquire("write");
    try {
      // O_NONBLOCK belongs to the open file, so anyone who shares it may have cleared it.
      if (!Poll.ready(number, Poll.POLLOUT)) {
        return;
      }
      MemorySegment count = COUNT.get();
      count.set(JAVA_LONG, COUNTER, 1);
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
    MemorySegment count = COUNT.get();
    // Whoever shares the open file may have made it wait, and may read between a poll and a read of
    // ours; the kernel looks at this flag and the count at the same time (Linux 5.8).
    if (Libc.preadv2(number, count.address() + IOV_BASE, 1, -1, Libc.RWF_NOWAIT) < 0) {
      int errno = Libc.errno();
      if (errno == Errno.EOPNOTSUPP.code()) {
        return takeIfReady(number, count);
      }
      if (errno != Errno.EAGAIN.code()) {
        throw new LinuxException("preadv2", errno);
      }
      return 0;
    }
    return count.get(JAVA_LONG, COUNTER);
  }

  /** As well as a kernel without RWF_NOWAIT for event descriptors can. */
  private static long takeIfReady(int number, MemorySegment count) throws LinuxException {
    if (!Poll.ready(number, Poll.POLLIN)) {
      return 0;
    }
    if (Libc.read(number, count.address(), Long.BYTES) < 0) {
      int errno = Libc.errno();
      if (errno != Errno.EAGAIN.code()) {
        throw new LinuxException("read", errno);
      }
      return 0;
    }
    return count.get(JAVA_LONG, COUNTER);
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
