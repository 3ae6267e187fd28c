package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Event descriptors, told of in the order in which they were signalled (epoll(7), edge-triggered:
 * the kernel queues a descriptor when it is signalled, and not again before it was told of). For
 * one thread at a time.
 */
public final class EventSet implements AutoCloseable {
  private static final int EPOLL_CLOEXEC = 0x80000;
  private static final int EPOLL_CTL_ADD = 1;
  private static final int EPOLLIN = 0x1;
  private static final int EPOLLET = 1 << 31;

  /** The most told of in one {@link #take}. */
  private static final int MOST = 64;

  // struct epoll_event, which x86-64 packs
  private static final long EVENTS = 0;
  private static final long DATA = "amd64".equals(System.getProperty("os.arch")) ? 4 : 8;
  private static final long ENTRY = DATA + Long.BYTES;

  private final FileDescriptor epoll;
  private final List<FileDescriptor> events = new ArrayList<>();
  private final MemorySegment entries = Arena.ofAuto().allocate(MOST * ENTRY, Long.BYTES);

  /** An empty set. */
  public EventSet() throws LinuxException {
    epoll = FileDescriptor.adopt(Libc.check("epoll_create1", Libc.epollCreate1(EPOLL_CLOEXEC)));
  }

  /**
   * What is readable, to poll(2) and its like, while {@link #take} has something to tell. Stays
   * this set's.
   */
  public FileDescriptor descriptor() {
    return epoll;
  }

  /**
   * Adds a descriptor, which stays the caller's, and open as long as this set.
   *
   * @return its number in this set: 0 for the first, and so on
   * @throws LinuxException ENOSPC, ENOMEM
   */
  public int add(FileDescriptor event) throws LinuxException {
    int index = events.size();
    entries.set(JAVA_INT_UNALIGNED, EVENTS, EPOLLIN | EPOLLET);
    entries.set(JAVA_LONG_UNALIGNED, DATA, index);
    int number = event.acquire("epoll_ctl");
    try {
      Libc.check(
          "epoll_ctl", Libc.epollCtl(epoll.number(), EPOLL_CTL_ADD, number, entries.address()));
    } finally {
      event.release();
    }
    events.add(event);
    return index;
  }

  /**
   * Takes the counts of those that were signalled since the last time, without waiting.
   *
   * @param signalled gets the number of each, in the order of the first signal of each
   * @throws LinuxException EBADF if one was closed
   */
  public void take(IntConsumer signalled) throws LinuxException {
    int count = wait(MOST);
    int[] taken = new int[count];
    int some = 0;
    for (int i = 0; i < count; i++) {
      int index = (int) entries.get(JAVA_LONG_UNALIGNED, i * ENTRY + DATA);
      // Another process may have taken the count.
      if (EventDescriptor.read(events.get(index)) != 0) {
        taken[some++] = index;
      }
    }
    for (int i = 0; i < some; i++) {
      signalled.accept(taken[i]);
    }
  }

  private int wait(int most) throws LinuxException {
    int number = epoll.acquire("epoll_wait");
    try {
      int count = Libc.epollWait(number, entries.address(), most, 0);
      if (count < 0 && Libc.errno() == Errno.EINTR.code()) {
        return 0;
      }
      return Libc.check("epoll_wait", count);
    } finally {
      epoll.release();
    }
  }

  /** The descriptors stay open. */
  @Override
  public void close() {
    epoll.close();
  }
}
