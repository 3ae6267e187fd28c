package dev.peerbar.protocol.socket;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoEventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.util.concurrent.RejectedExecutionHandlers;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An event loop of several threads, one of which runs at a time. The loop's own thread waits for
 * all sockets at once, with epoll; a {@link Receiver} waits for one socket alone, in the receive
 * itself, which spares a system call for each message. Whichever of them has something to do takes
 * the loop's lock: what runs on the loop needs no other, and cannot tell the threads apart.
 *
 * <p>Work that was given to the loop before a message came is done before the message is handled.
 */
public final class SocketEventLoop extends SingleThreadIoEventLoop {
  private static final Logger LOG = LoggerFactory.getLogger(SocketEventLoop.class);

  /** A deadline that never comes. */
  static final long NEVER = Long.MAX_VALUE;

  /** How long work that never ends keeps a message waiting. */
  private static final long LONGEST_HOLD_MILLIS = 1;

  private final LoopLock loopLock;

  private SocketEventLoop(
      IoEventLoopGroup parent, Executor executor, IoHandlerFactory handlers, LoopLock loopLock) {
    super(
        parent,
        executor,
        handlers,
        DEFAULT_MAX_PENDING_TASKS,
        RejectedExecutionHandlers.reject(),
        LONGEST_HOLD_MILLIS);
    this.loopLock = loopLock;
  }

  /** Who may run what belongs to a loop. */
  static final class LoopLock {
    // Fair: a loop that always has something to do lets the others have theirs.
    private final ReentrantLock fair = new ReentrantLock(true);
    // A thread need only see what it wrote itself, so this needs no volatile.
    private Thread holder;

    /** For the loop's own thread. */
    void lock() {
      fair.lock();
    }

    /** For the loop's own thread. */
    void unlock() {
      fair.unlock();
    }

    /** Lets those who wait for it have it first. For the loop's own thread. */
    void yieldToWaiters() {
      if (fair.hasQueuedThreads()) {
        fair.unlock();
        fair.lock();
      }
    }

    /** Whether a thread has it that is not the loop's own, and is this one. */
    private boolean isHolder(Thread thread) {
      return thread == holder;
    }
  }

  /**
   * A group of one loop, which runs.
   *
   * @param threads for its own thread
   */
  public static EventLoopGroup group(ThreadFactory threads) {
    LoopLock loopLock = new LoopLock();
    EventLoopGroup group =
        new MultiThreadIoEventLoopGroup(1, threads, EpollHandler.factory(loopLock)) {
          @Override
          protected IoEventLoop newChild(
              Executor executor, IoHandlerFactory handlers, Object... arguments) {
            return new SocketEventLoop(this, executor, handlers, loopLock);
          }
        };
    // Its thread starts with what other threads give it, and a receiver's counts as its own.
    group.execute(() -> {});
    return group;
  }

  @Override
  public boolean inEventLoop(Thread thread) {
    // Null as long as the loop is being made.
    return super.inEventLoop(thread) || loopLock != null && loopLock.isHolder(thread);
  }

  @Override
  protected long delayNanos(long now) {
    return nextScheduledTaskDeadlineNanos() < 0 ? NEVER : super.delayNanos(now);
  }

  @Override
  protected long deadlineNanos() {
    return nextScheduledTaskDeadlineNanos() < 0 ? NEVER : super.deadlineNanos();
  }

  @Override
  protected void run() {
    // Given back when the handler is destroyed, which is the last that the loop does.
    loopLock.lock();
    try {
      super.run();
      // A loop that was told to end while it was awake need not have come by its sockets since.
      ioHandler().prepareToDestroy();
    } catch (RuntimeException | Error e) {
      LOG.error("the event loop has died, and its connections with it", e);
      ioHandler().prepareToDestroy();
      throw e;
    }
  }

  /**
   * Takes the loop's lock, for a thread that is not the loop's own, and does what waits to be done
   * by now.
   */
  void enter() {
    loopLock.fair.lock();
    loopLock.holder = Thread.currentThread();
    // Not what comes meanwhile, which may be without an end.
    for (int left = hasTasks() ? pendingTasks() : 0; left > 0; left--) {
      Runnable task = pollTask();
      if (task == null) {
        return;
      }
      safeExecute(task);
    }
  }

  /**
   * Has the loop look for more than events of its sockets: its own thread while it has nothing else
   * to do, and any of its threads after what it has done. At most once; on the loop.
   *
   * @param spinNanos for how long it does not sleep once nothing is found any more, {@link
   *     Long#MAX_VALUE} for ever; it has the loop's lock all the time then, so that sockets are to
   *     be left to it. With 0 it looks for some microseconds, and then now and again
   */
  public void poll(Poller poller, long spinNanos) {
    handler().poll(poller, spinNanos);
  }

  private EpollHandler handler() {
    return (EpollHandler) ioHandler();
  }

  /** Gives the loop's lock back. */
  void leave() {
    try {
      handler().settle();
      wakeInTime();
    } finally {
      loopLock.holder = null;
      loopLock.fair.unlock();
    }
  }

  /** What was scheduled may be due before the loop's own thread would look. */
  private void wakeInTime() {
    handler().wakeBy(nextScheduledTaskDeadlineNanos());
  }

  /** Something to wait for with the loop's lock, which others may take meanwhile. */
  Condition condition() {
    return loopLock.fair.newCondition();
  }

  /** Waits, for a thread that called {@link #enter}. Can end too early. */
  void await(Condition condition) {
    wakeInTime();
    loopLock.holder = null;
    condition.awaitUninterruptibly();
    loopLock.holder = Thread.currentThread();
  }
}
