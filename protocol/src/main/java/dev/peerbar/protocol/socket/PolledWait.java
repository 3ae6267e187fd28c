package dev.peerbar.protocol.socket;

import dev.peerbar.linux.Epoll;
import dev.peerbar.linux.LinuxException;
import io.netty.channel.IoHandlerContext;

/**
 * How the own thread of a {@link SocketEventLoop} waits where there is a {@link Poller}: it looks,
 * for as long as it is told to, and then sleeps between two looks, for longer and longer. For
 * whoever has the loop's lock.
 */
final class PolledWait {
  /** How long it looks after something was found, at least: the next of a burst is close. */
  private static final long SPIN_NANOS = 50_000;

  /** The shortest sleep between two looks: for a while after something was found. */
  private static final long SHORTEST_NAP_NANOS = 40_000;

  /** The longest. Waking costs tens of microseconds of a processor that has been idle. */
  private static final long LONGEST_NAP_NANOS = 100_000_000;

  /**
   * What part of the time in which nothing happened a sleep takes, and makes the next find late.
   */
  private static final int NAP_PART = 32;

  /** From how long a sleep on something that happens on the loop ends it. */
  private static final long LONG_NAP_NANOS = 1_000_000;

  /** Looks between two looks at the sockets, which cost a system call. */
  private static final int LOOKS = 16;

  /** Looks, where something is found, between two at the clock. */
  private static final int FINDS = 4;

  /** How long sockets are not looked at while there is something else to do. */
  private static final long SOCKETS_NANOS = 20_000;

  /** How long somebody else's thread goes on where there is more and more to do. */
  private static final int TURNS = 4;

  private final Poller poller;
  private final long spinNanos;
  private final boolean always;
  private final SocketEventLoop.LoopLock loopLock;
  private final Epoll epoll;

  /** When something was found, or happened on the loop, last. */
  private volatile long lastFind;

  private long lastSockets;

  /** How long the sleep is that its thread is in, if it is in one. */
  private volatile long nap;

  /**
   * @param spinNanos how long to look in vain with the loop's lock, for loops whose sockets nobody
   *     else waits for; 0 for a loop that others take
   */
  PolledWait(Poller poller, long spinNanos, SocketEventLoop.LoopLock loopLock, Epoll epoll) {
    this.poller = poller;
    this.spinNanos = spinNanos;
    this.always = spinNanos > 0;
    this.loopLock = loopLock;
    this.epoll = epoll;
    lastFind = System.nanoTime();
    lastSockets = lastFind;
  }

  /** Whether there is anything to look for. */
  boolean active() {
    return poller.active();
  }

  /**
   * Does what a message has brought, on another thread than the loop's own. Whoever sends messages
   * is awake, and what it does next may be a store.
   *
   * @return false if the loop's own thread had better wake up: there is more, or it sleeps long
   */
  boolean settleMessage() {
    boolean settled = settle();
    lastFind = System.nanoTime();
    return settled && nap < LONG_NAP_NANOS;
  }

  /** Does what has come. Returns false if there is more. */
  boolean settle() {
    for (int turn = 0; turn < TURNS; turn++) {
      if (poller.run()) {
        lastFind = System.nanoTime();
      } else if (poller.rest()) {
        return true;
      }
    }
    return false;
  }

  /**
   * Waits for events of sockets, with the lock.
   *
   * @return how many there are; 0 for other things to do; negative if it looked long enough in vain
   */
  int spin(IoHandlerContext context) throws LinuxException {
    if (!always) {
      return -1;
    }
    int looks = 0;
    int finds = 0;
    while (context.canBlock()) {
      boolean found = poller.run();
      if (found) {
        looks = 0;
        if (++finds < FINDS) {
          continue;
        }
        finds = 0;
      } else if (++looks < LOOKS) {
        Thread.onSpinWait();
        continue;
      }
      looks = 0;
      long now = System.nanoTime();
      if (found) {
        lastFind = now;
        if (now - lastSockets < SOCKETS_NANOS) {
          continue;
        }
      }
      lastSockets = now;
      loopLock.yieldToWaiters();
      int events = epoll.look();
      if (events > 0) {
        return came(events, now);
      }
      if (!poller.active() || now - lastFind > spinNanos && poller.rest()) {
        return -1;
      }
      if (!found) {
        // Whoever shares the processor has waited for it, for as long as one turn of the scheduler.
        Thread.yield();
      }
    }
    return epoll.look();
  }

  /**
   * Waits for events of sockets, without the lock, or until something seems to have happened.
   *
   * @param nanos how long at most
   * @return how many events there are
   */
  int watch(IoHandlerContext context, long nanos) throws LinuxException {
    long begin = System.nanoTime();
    long now = begin;
    int looks = 0;
    while (context.canBlock() && !poller.rings() && poller.active()) {
      long found = lastFind;
      long since = now - found;
      int events;
      if (since < SPIN_NANOS) {
        Thread.onSpinWait();
        if (++looks % LOOKS != 0) {
          continue;
        }
        // Whoever shares the processor may be the one that it is looked for.
        Thread.yield();
        now = System.nanoTime();
        // Whoever has the lock meanwhile may find something again and again.
        if (now - lastSockets < SOCKETS_NANOS) {
          continue;
        }
        events = epoll.look();
      } else {
        nap = Math.clamp(since / NAP_PART, SHORTEST_NAP_NANOS, LONGEST_NAP_NANOS);
        if (lastFind != found) {
          // Whoever found something did not see the sleep, and does not end it.
          nap = 0;
          continue;
        }
        events = epoll.awaitNanos(Math.clamp(nanos - (now - begin), 0, nap));
        nap = 0;
        now = System.nanoTime();
      }
      lastSockets = now;
      if (events > 0 || now - begin >= nanos) {
        return came(events, now);
      }
    }
    if (System.nanoTime() - lastSockets < SOCKETS_NANOS) {
      return 0;
    }
    lastSockets = System.nanoTime();
    return came(epoll.look(), lastSockets);
  }

  /** What comes on a socket is worth another look for more, if looking is all that is done. */
  private int came(int events, long now) {
    if (always && events > 0) {
      lastFind = now;
    }
    return events;
  }
}
