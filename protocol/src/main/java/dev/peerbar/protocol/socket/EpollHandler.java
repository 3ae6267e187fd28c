package dev.peerbar.protocol.socket;

import dev.peerbar.linux.Epoll;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import io.netty.channel.IoEvent;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits for the sockets of a {@link SocketEventLoop}, whose lock it leaves to others while it
 * waits. All but {@link #wakeup} is for whoever has that lock.
 */
final class EpollHandler implements IoHandler {
  private static final Logger LOG = LoggerFactory.getLogger(EpollHandler.class);
  private static final int MOST_EVENTS = 64;
  private static final long WAKE_UP = 0;

  /** Of a socket that is not to be watched at all. */
  static final int NOTHING = 0;

  private static final long NANOS_PER_MILLI = 1_000_000;

  private final SocketEventLoop.LoopLock loopLock;
  private final Epoll epoll;
  private final FileDescriptor wakeUp;
  private final Map<Long, Registration> registrations = new HashMap<>();
  private long lastTag = WAKE_UP;
  // Whether the loop's own thread waits, or is about to, and nobody has told it to wake up.
  private final AtomicBoolean waiting = new AtomicBoolean();
  private long deadline;
  // Null where nothing happens but on sockets.
  private PolledWait polled;

  private EpollHandler(SocketEventLoop.LoopLock loopLock) {
    this.loopLock = loopLock;
    try {
      epoll = new Epoll(MOST_EVENTS);
      wakeUp = EventDescriptor.create();
      epoll.add(wakeUp, Epoll.IN, WAKE_UP);
    } catch (LinuxException e) {
      throw new UncheckedIOException(e);
    }
  }

  static IoHandlerFactory factory(SocketEventLoop.LoopLock loopLock) {
    return _ -> new EpollHandler(loopLock);
  }

  /** What a socket is asked for, and what has happened to it: bits of {@link Epoll}. */
  record Events(int bits) implements IoOps, IoEvent {}

  /** Something that a descriptor can be waited for. */
  interface Handle extends IoHandle {
    /** Open until the registration is cancelled. */
    FileDescriptor descriptor();

    /** The loop ends. */
    @Override
    void close();
  }

  @Override
  public int run(IoHandlerContext context) {
    try {
      int count = context.canBlock() ? await(context) : look();
      for (int i = 0; i < count; i++) {
        tell(epoll.tag(i), epoll.events(i));
      }
      return count;
    } catch (LinuxException e) {
      throw new UncheckedIOException(e);
    }
  }

  private int look() throws LinuxException {
    if (polled != null && polled.active()) {
      polled.settle();
      loopLock.yieldToWaiters();
      return epoll.look();
    }
    loopLock.yieldToWaiters();
    return epoll.await(0);
  }

  private int await(IoHandlerContext context) throws LinuxException {
    boolean polls = polled != null && polled.active();
    if (polls) {
      int events = polled.spin(context);
      if (events >= 0) {
        return events;
      }
      if (!polled.settle()) {
        loopLock.yieldToWaiters();
        return epoll.look();
      }
    }
    deadline = context.deadlineNanos();
    long nanos = context.delayNanos(System.nanoTime());
    waiting.set(true);
    try {
      // Whoever had something for the loop before this line does not wake it up.
      if (!context.canBlock()) {
        return epoll.await(0);
      }
      loopLock.unlock();
      try {
        return polls ? polled.watch(context, nanos) : epoll.await(milliseconds(nanos));
      } finally {
        loopLock.lock();
      }
    } finally {
      waiting.set(false);
    }
  }

  /** Has the loop's own thread look for more than events of sockets. */
  void poll(Poller poller, long spinNanos) {
    polled = new PolledWait(poller, spinNanos, loopLock, epoll);
  }

  /**
   * Does what has come with the message that was handled just now. Not on the loop's own thread.
   */
  void settle() {
    if (polled != null && polled.active() && !polled.settleMessage()) {
      wakeup();
    }
  }

  private static int milliseconds(long nanos) {
    if (nanos == SocketEventLoop.NEVER) {
      return Epoll.FOR_EVER;
    }
    // Rounded up, so that the last wait does not spin through the rest of a millisecond.
    return Math.clamp(Math.ceilDiv(nanos, NANOS_PER_MILLI), 0, Integer.MAX_VALUE);
  }

  private void tell(long tag, int events) throws LinuxException {
    if (tag == WAKE_UP) {
      EventDescriptor.read(wakeUp);
      return;
    }
    // One that was told of before may have cancelled it.
    Registration registration = registrations.get(tag);
    if (registration == null) {
      return;
    }
    try {
      registration.handle.handle(registration, new Events(events));
    } catch (RuntimeException | Error e) {
      LOG.warn("an event was not handled: what it was for is closed", e);
      registration.cancel();
      registration.handle.close();
    }
  }

  @Override
  public void wakeup() {
    if (waiting.compareAndSet(true, false)) {
      try {
        EventDescriptor.signal(wakeUp);
      } catch (LinuxException e) {
        if (e.errno() == Errno.EBADF) {
          // It was told to end, and woke by itself in time to see that.
          return;
        }
        throw new UncheckedIOException(e);
      }
    }
  }

  /**
   * Has the loop's own thread wake up in time for what was scheduled while it waits.
   *
   * @param next deadline of what is to be done next, as the loop counts time, or -1 for nothing
   */
  void wakeBy(long next) {
    if (next >= 0 && next - deadline < 0) {
      wakeup();
    }
  }

  @Override
  public IoRegistration register(IoHandle handle) throws LinuxException {
    Registration registration = new Registration(++lastTag, (Handle) handle);
    registration.watch(Epoll.ERROR);
    registrations.put(registration.tag, registration);
    handle.registered();
    return registration;
  }

  @Override
  public boolean isCompatible(Class<? extends IoHandle> type) {
    return Handle.class.isAssignableFrom(type);
  }

  @Override
  public void prepareToDestroy() {
    for (Registration registration : List.copyOf(registrations.values())) {
      registration.cancel();
      try {
        registration.handle.close();
      } catch (RuntimeException | Error e) {
        LOG.warn("not closed", e);
      }
    }
  }

  @Override
  public void destroy() {
    epoll.close();
    wakeUp.close();
    loopLock.unlock();
  }

  private final class Registration implements IoRegistration {
    private final long tag;
    private final Handle handle;
    private boolean watched;

    Registration(long tag, Handle handle) {
      this.tag = tag;
      this.handle = handle;
    }

    @Override
    @SuppressWarnings("unchecked") // Nobody asks for another type.
    public <T> T attachment() {
      return (T) this;
    }

    @Override
    public long submit(IoOps ops) {
      int bits = ((Events) ops).bits();
      if (!isValid()) {
        return -1;
      }
      try {
        watch(bits);
      } catch (LinuxException e) {
        throw new UncheckedIOException(e);
      }
      return bits;
    }

    private void watch(int bits) throws LinuxException {
      if (bits == NOTHING) {
        unwatch();
      } else if (watched) {
        epoll.change(handle.descriptor(), bits, tag);
      } else {
        epoll.add(handle.descriptor(), bits, tag);
        watched = true;
      }
    }

    private void unwatch() throws LinuxException {
      if (watched) {
        watched = false;
        epoll.remove(handle.descriptor());
      }
    }

    @Override
    public boolean isValid() {
      return registrations.containsKey(tag);
    }

    @Override
    public boolean cancel() {
      if (registrations.remove(tag) == null) {
        return false;
      }
      try {
        unwatch();
      } catch (LinuxException e) {
        // Of a closed socket there is nothing left to forget.
        LOG.debug("not forgotten", e);
      }
      handle.unregistered();
      return true;
    }
  }
}
