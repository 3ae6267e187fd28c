package dev.peerbar.server.dma;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;

/**
 * Keeps direct memory accesses of engines apart from changes of what they may access.
 *
 * <p>An engine holds the gate for one bounded step at a time and looks up everything it relies on
 * inside. A change made through {@link #exclusively} therefore waits for at most one step of each
 * engine, and every later step sees it. What may take long goes on outside: see {@link SlowPieces}.
 *
 * <p>A step costs two atomic additions. Changes come first: a step that begins after one has been
 * announced waits until it has been made.
 */
public final class Gate {
  private static final int CLOSED = 1 << 31;

  /** How often a change looks before it sleeps: most steps are over soon. */
  private static final int SPINS = 200;

  private static final VarHandle STATE;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(Gate.class, "state", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final SlowPieces slowPieces = new SlowPieces();

  /** The steps in flight, and {@link #CLOSED} while a change waits or is being made. */
  @SuppressWarnings("unused") // Through STATE.
  private volatile int state;

  // Who makes a change, set before the gate is closed.
  private volatile Thread changing;

  /**
   * Begins a step of an engine; {@link #exit} must follow, after bounded work that never waits. Not
   * within another step.
   */
  public void enter() {
    while ((int) STATE.getAndAdd(this, 1) < 0) {
      exit();
      awaitChange();
    }
  }

  /** Ends a step. */
  public void exit() {
    if ((int) STATE.getAndAdd(this, -1) == (CLOSED | 1)) {
      LockSupport.unpark(changing);
    }
  }

  /** Waits for the change that closed the gate, which holds the monitor until it is made. */
  private synchronized void awaitChange() {}

  /** Drains the steps in flight and makes a change. For the function's thread. */
  public synchronized void exclusively(Runnable change) {
    changing = Thread.currentThread();
    STATE.getAndBitwiseOr(this, CLOSED);
    try {
      awaitSteps();
      change.run();
    } finally {
      STATE.getAndBitwiseAnd(this, ~CLOSED);
    }
  }

  /**
   * As {@link #exclusively}, for a change that takes a right away. {@link #slowPieces} knows
   * afterwards whether the reply has to wait.
   */
  public void revoke(Runnable change) {
    exclusively(() -> {
      change.run();
      slowPieces.revoked();
    });
  }

  /** The steps that began inside and go on outside. */
  public SlowPieces slowPieces() {
    return slowPieces;
  }

  private void awaitSteps() {
    for (int looks = 0; (int) STATE.getVolatile(this) != CLOSED; looks++) {
      if (looks < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
      }
    }
  }

  /** Waits until every step that began before this call has ended. */
  public void drain() {
    exclusively(() -> {});
  }
}
