package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * An epoll instance (epoll(7)): waits for many descriptors at once.
 *
 * <p>One thread at a time waits and looks at what came; another may add, change and remove
 * descriptors meanwhile, one at a time too.
 */
public final class Epoll implements AutoCloseable {
  /** Something can be read, or a connection accepted. */
  public static final int IN = 0x1;

  /** Something can be written. */
  public static final int OUT = 0x4;

  /** Told of whether it was asked for or not. */
  public static final int ERROR = 0x8;

  /** The other end has gone. Told of whether it was asked for or not. */
  public static final int HANG_UP = 0x10;

  /** With others: told of once a change, not as long as it is so. */
  public static final int EDGE = 1 << 31;

  /** How long {@link #await} and {@link #awaitNanos} wait if only an event ends it. */
  public static final int FOR_EVER = -1;

  private static final int EPOLL_CLOEXEC = 0x80000;
  private static final int EPOLL_CTL_ADD = 1;
  private static final int EPOLL_CTL_DEL = 2;
  private static final int EPOLL_CTL_MOD = 3;

  private static final long NANOS_PER_SECOND = 1_000_000_000;
  private static final long NANOS_PER_MILLI = 1_000_000;

  // struct epoll_event, which x86-64 packs
  private static final long EVENTS = 0;
  private static final long DATA = "amd64".equals(System.getProperty("os.arch")) ? 4 : 8;
  private static final long ENTRY = DATA + Long.BYTES;

  // struct __kernel_timespec
  private static final long SECONDS = 0;
  private static final long NANOS = 8;
  private static final long TIME = 16;
  private static final long NO_TIME = 0;

  private final FileDescriptor epoll;
  private final int most;
  // What came, and what is asked for: the kernel writes the one while the other is made.
  private final MemorySegment came;
  private final MemorySegment asked = Arena.ofAuto().allocate(ENTRY, Long.BYTES);
  private final MemorySegment time = Arena.ofAuto().allocate(TIME, Long.BYTES);

  /**
   * @param most events told of at a time
   * @throws LinuxException EMFILE, ENFILE, ENOMEM
   */
  public Epoll(int most) throws LinuxException {
    this.most = most;
    this.came = Arena.ofAuto().allocate(most * ENTRY, Long.BYTES);
    this.epoll =
        FileDescriptor.adopt(Libc.check("epoll_create1", Libc.epollCreate1(EPOLL_CLOEXEC)));
  }

  /** What is readable while there is an event. Stays this object's. */
  public FileDescriptor descriptor() {
    return epoll;
  }

  /**
   * Adds a descriptor, to be removed before it is closed.
   *
   * @param events of the constants here
   * @param tag what {@link #tag} tells of its events
   * @throws LinuxException ENOSPC if the user watches as many as it may, ENOMEM, EPERM for a file
   *     that cannot be waited for
   */
  public void add(FileDescriptor descriptor, int events, long tag) throws LinuxException {
    control(EPOLL_CTL_ADD, descriptor, events, tag);
  }

  /**
   * Asks for other events of a descriptor that was added.
   *
   * @throws LinuxException ENOENT if it was not
   */
  public void change(FileDescriptor descriptor, int events, long tag) throws LinuxException {
    control(EPOLL_CTL_MOD, descriptor, events, tag);
  }

  /**
   * Forgets a descriptor.
   *
   * @throws LinuxException ENOENT if it was not added
   */
  public void remove(FileDescriptor descriptor) throws LinuxException {
    control(EPOLL_CTL_DEL, descriptor, 0, 0);
  }

  private void control(int operation, FileDescriptor descriptor, int events, long tag)
      throws LinuxException {
    asked.set(JAVA_INT_UNALIGNED, EVENTS, events);
    asked.set(JAVA_LONG_UNALIGNED, DATA, tag);
    int instance = epoll.acquire("epoll_ctl");
    try {
      int number = descriptor.acquire("epoll_ctl");
      try {
        Libc.check("epoll_ctl", Libc.epollCtl(instance, operation, number, asked.address()));
      } finally {
        descriptor.release();
      }
    } finally {
      epoll.release();
    }
  }

  /**
   * Looks for events, as {@link #await} does that does not wait. For those who look all the time.
   *
   * @return how many there are
   */
  public int look() throws LinuxException {
    int instance = epoll.acquire("epoll_wait");
    try {
      int count = Libc.epollLook(instance, came.address(), most);
      return count < 0 ? await(0) : count;
    } finally {
      epoll.release();
    }
  }

  /**
   * Waits for events.
   *
   * @param milliseconds how long at most; 0 does not wait, {@link #FOR_EVER}
   * @return how many there are; a signal can end the wait with none
   */
  public int await(int milliseconds) throws LinuxException {
    int instance = epoll.acquire("epoll_wait");
    try {
      return count("epoll_wait", Libc.epollWait(instance, came.address(), most, milliseconds));
    } finally {
      epoll.release();
    }
  }

  /**
   * As {@link #await}, for less than a millisecond, too. Before Linux 5.11 it waits up to the end
   * of a millisecond that has begun. How late the thread wakes is its timer slack's affair ({@link
   * TimerSlack}).
   *
   * @param nanoseconds how long at most; 0 does not wait, {@link #FOR_EVER}
   */
  public int awaitNanos(long nanoseconds) throws LinuxException {
    return awaitNanos(nanoseconds, Fine.THERE);
  }

  /** The same, with epoll_pwait2 or without. */
  int awaitNanos(long nanoseconds, boolean fine) throws LinuxException {
    if (!fine) {
      return await(milliseconds(nanoseconds));
    }
    long until = NO_TIME;
    if (nanoseconds != FOR_EVER) {
      time.set(JAVA_LONG, SECONDS, nanoseconds / NANOS_PER_SECOND);
      time.set(JAVA_LONG, NANOS, nanoseconds % NANOS_PER_SECOND);
      until = time.address();
    }
    int instance = epoll.acquire("epoll_pwait2");
    try {
      return count("epoll_pwait2", Libc.epollPwait2(instance, came.address(), most, until));
    } finally {
      epoll.release();
    }
  }

  private static int milliseconds(long nanoseconds) {
    return nanoseconds == FOR_EVER
        ? FOR_EVER
        : Math.clamp(Math.ceilDiv(nanoseconds, NANOS_PER_MILLI), 0, Integer.MAX_VALUE);
  }

  private static int count(String call, int result) throws LinuxException {
    if (result < 0 && Libc.errno() == Errno.EINTR.code()) {
      return 0;
    }
    return Libc.check(call, result);
  }

  /** Looked at once, and only by who waits so. */
  private static final class Fine {
    private static final int NO_DESCRIPTOR = -1;

    /** Whether there is epoll_pwait2. Where not, ENOSYS is the answer, or EPERM in containers. */
    static final boolean THERE = look();

    private static boolean look() {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment one = arena.allocate(ENTRY, Long.BYTES);
        Libc.epollPwait2(NO_DESCRIPTOR, one.address(), 1, NO_TIME);
        return Libc.errno() == Errno.EBADF.code();
      }
    }
  }

  /** Whose event this is: one of as many as {@link #await} said. */
  public long tag(int index) {
    return came.get(JAVA_LONG_UNALIGNED, index * ENTRY + DATA);
  }

  /** What has happened, of the constants here. */
  public int events(int index) {
    return came.get(JAVA_INT_UNALIGNED, index * ENTRY + EVENTS);
  }

  /** The descriptors stay open. */
  @Override
  public void close() {
    epoll.close();
  }
}
