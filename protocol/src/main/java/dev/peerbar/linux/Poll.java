package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/** Waits for one descriptor, with poll(2). */
final class Poll {
  static final short POLLIN = 0x001;
  static final short POLLOUT = 0x004;

  private static final long FD = 0;
  private static final long EVENTS = 4;
  private static final long RESULT = 6;
  private static final long SIZE = 8;

  private static final ThreadLocal<MemorySegment> ENTRY =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(SIZE, 8));

  private Poll() {}

  /** Whether one of the events, a hang-up or an error is there now. */
  static boolean ready(int fd, short events) throws LinuxException {
    return poll(fd, events, 0);
  }

  /**
   * Waits until one of the events, a hang-up or an error is there.
   *
   * @return false if the time passed first
   */
  static boolean await(int fd, short events, Duration timeout) throws LinuxException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (true) {
      long left = Math.max(0, deadline - System.nanoTime());
      // Rounded up, so that the last wait does not spin through the rest of a millisecond.
      int milliseconds = (int) Math.min(Integer.MAX_VALUE, (left + 999_999) / 1_000_000);
      if (poll(fd, events, milliseconds)) {
        return true;
      }
      if (left == 0) {
        return false;
      }
    }
  }

  private static boolean poll(int fd, short events, int milliseconds) throws LinuxException {
    MemorySegment entry = ENTRY.get();
    entry.set(JAVA_INT, FD, fd);
    entry.set(JAVA_SHORT, EVENTS, events);
    entry.set(JAVA_SHORT, RESULT, (short) 0);
    int ready = Libc.poll(entry.address(), 1, milliseconds);
    if (ready < 0 && Libc.errno() != Errno.EINTR.code()) {
      throw new LinuxException("poll", Libc.errno());
    }
    return ready > 0;
  }
}
