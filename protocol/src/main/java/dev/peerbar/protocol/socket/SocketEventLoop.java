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
 * An event loop that lends its turn. Its own thread waits for all sockets at once, with epoll; a
 * {@link Receiver} waits for one socket alone, in the receive itself, which spares a system call
 * for each message. Whichever of them has something to do takes the turn, and one has it at a time:
 * what runs on the loop needs no locks, and cannot tell the threads apart.
 *
 * <p>Work that was given to the loop before a message came is done before the message is handled.
 */
public final class SocketEventLoop extends SingleThreadIoEventLoop {
  private static final Logger LOG = LoggerFactory.getLogger(SocketEventLoop.class);

  /** A deadline that never comes. */
  static final long NEVER = Long.MAX_VALUE;

  /** How long work that never ends keeps a message waiting. */
  private static final long LONGEST_TURN_MILLIS = 1;

  private final Turn turn;

  private SocketEventLoop(
      IoEventLoopGroup parent, Executor executor, IoHandlerFactory handlers, Turn turn) {
    super(
        parent,
        executor,
        handlers,
        DEFAULT_MAX_PENDING_TASKS,
        RejectedExecutionHandlers.reject(),
        LONGEST_TURN_MILLIS);
    this.turn = turn;
  }

  /** Who may run what belongs to a loop. */
  static final class Turn {
    // Fair: a loop that always has something to do lets the others have theirs.
    private final ReentrantLock lock = new ReentrantLock(true);
    // A thread need only see what it wrote itself, so this needs no volatile.
    private Thread visitor;

    /** For the loop's own thread. */
    void take() {
      lock.lock();
    }

    /** For the loop's own thread. */
    void give() {
      lock.unlock();
    }

    /** Lets those who wait for it have it first. For the loop's own thread. */
    void pass() {
      if (lock.hasQueuedThreads()) {
        lock.unlock();
        lock.lock();
      }
    }

    /** Whether one of the visitors has it, and is this one. */
    private boolean isVisitor(Thread thread) {
      return thread == visitor;
    }
  }

  /**
   * A group of one loop, which runs.
   *
   * @param threads for its own thread
   */
  public static EventLoopGroup group(ThreadFactory threads) {
    Turn turn = new Turn();
    EventLoopGroup group =
        new MultiThreadIoEventLoopGroup(1, threads, EpollHandler.factory(turn)) {
          @Override
          protected IoEventLoop newChild(
              Executor executor, IoHandlerFactory handlers, Object... arguments) {
            return new SocketEventLoop(this, executor, handlers, turn);
          }
        };
    // Its thread starts with what somebody outside gives it, and a visitor is inside.
    group.execute(() -> {});
    return group;
  }

  @Override
  public boolean inEventLoop(Thread thread) {
    // Null as long as the loop is being made.
    return super.inEventLoop(thread) || turn != null && turn.isVisitor(thread);
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
    turn.take();
    try {
      super.run();
    } catch (RuntimeException | Error e) {
      LOG.error("the event loop has died, and its connections with it", e);
      ioHandler().prepareToDestroy();
      throw e;
    }
  }

  /**
   * Takes the turn, for a thread that is not the loop's own, and does what waits to be done by now.
   */
  void enter() {
    turn.lock.lock();
    turn.visitor = Thread.currentThread();
    // Not what comes meanwhile, which may be without an end.
    for (int left = hasTasks() ? pendingTasks() : 0; left > 0; left--) {
      Runnable task = pollTask();
      if (task == null) {
        return;
      }
      safeExecute(task);
    }
  }

  /** Gives the turn back. */
  void leave() {
    try {
      wakeInTime();
    } finally {
      turn.visitor = null;
      turn.lock.unlock();
    }
  }

  /** What a visitor has scheduled may be due before the loop's own thread would look. */
  private void wakeInTime() {
    ((EpollHandler) ioHandler()).wakeBy(nextScheduledTaskDeadlineNanos());
  }

  /** Something that those who have the turn can wait for, letting others have it meanwhile. */
  Condition condition() {
    return turn.lock.newCondition();
  }

  /** Waits, for a visitor. Can end too early. */
  void await(Condition condition) {
    wakeInTime();
    turn.visitor = null;
    condition.awaitUninterruptibly();
    turn.visitor = Thread.currentThread();
  }
}
