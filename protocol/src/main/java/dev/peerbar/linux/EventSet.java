package dev.peerbar.linux;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Event descriptors, told of in the order in which they were signalled (epoll(7), edge-triggered:
 * the kernel queues a descriptor when it is signalled, and not again before it was told of). For
 * one thread at a time.
 */
public final class EventSet implements AutoCloseable {
  /** The most told of in one {@link #take}. */
  private static final int MOST = 64;

  private final Epoll epoll;
  private final List<FileDescriptor> events = new ArrayList<>();

  /** An empty set. */
  public EventSet() throws LinuxException {
    epoll = new Epoll(MOST);
  }

  /**
   * What is readable, to poll(2) and its like, while {@link #take} has something to tell. Stays
   * this set's.
   */
  public FileDescriptor descriptor() {
    return epoll.descriptor();
  }

  /**
   * Adds a descriptor, which stays the caller's, and open as long as this set.
   *
   * @return its number in this set: 0 for the first, and so on
   * @throws LinuxException ENOSPC, ENOMEM
   */
  public int add(FileDescriptor event) throws LinuxException {
    int index = events.size();
    epoll.add(event, Epoll.IN | Epoll.EDGE, index);
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
    int count = epoll.await(0);
    int[] taken = new int[count];
    int some = 0;
    for (int i = 0; i < count; i++) {
      int index = (int) epoll.tag(i);
      // Another process may have taken the count.
      if (EventDescriptor.read(events.get(index)) != 0) {
        taken[some++] = index;
      }
    }
    for (int i = 0; i < some; i++) {
      signalled.accept(taken[i]);
    }
  }

  /** The descriptors stay open. */
  @Override
  public void close() {
    epoll.close();
  }
}
