package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
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

  /** How long {@link #await} waits if only an event ends it. */
  public static final int FOR_EVER = -1;

  private static final int EPOLL_CLOEXEC = 0x80000;
  private static final int EPOLL_CTL_ADD = 1;
  private static final int EPOLL_CTL_DEL = 2;
  private static final int EPOLL_CTL_MOD = 3;

  // struct epoll_event, which x86-64 packs
  private static final long EVENTS = 0;
  private static final long DATA = "amd64".equals(System.getProperty("os.arch")) ? 4 : 8;
  private static final long ENTRY = DATA + Long.BYTES;

  private final FileDescriptor epoll;
  private final int most;
  // What came, and what is asked for: the kernel writes the one while the other is made.
  private final MemorySegment came;
  private final MemorySegment asked = Arena.ofAuto().allocate(ENTRY, Long.BYTES);

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
   * Waits for events.
   *
   * @param milliseconds how long at most; 0 does not wait, {@link #FOR_EVER}
   * @return how many there are; a signal can end the wait with none
   */
  public int await(int milliseconds) throws LinuxException {
    int instance = epoll.acquire("epoll_wait");
    try {
      int count = Libc.epollWait(instance, came.address(), most, milliseconds);
      if (count < 0 && Libc.errno() == Errno.EINTR.code()) {
        return 0;
      }
      return Libc.check("epoll_wait", count);
    } finally {
      epoll.release();
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
