package dev.peerbar.server.dma;

import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * Keeps direct memory accesses of engines apart from changes of what they may access.
 *
 * <p>An engine holds the gate for one bounded step at a time and looks up everything it relies on
 * inside. A change made through {@link #exclusively} therefore waits for at most one step of each
 * engine, and every later step sees it.
 */
public final class Gate {
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private final Lock step = lock.readLock();
  private final Lock change = lock.writeLock();

  /** Begins a step of an engine; {@link #exit} must follow, after bounded work that never waits. */
  public void enter() {
    step.lock();
  }

  public void exit() {
    step.unlock();
  }

  /** Drains the steps in flight and makes a change. For the function's thread. */
  public void exclusively(Runnable change) {
    this.change.lock();
    try {
      change.run();
    } finally {
      this.change.unlock();
    }
  }

  /** Waits until every step that began before this call has ended. */
  public void drain() {
    change.lock();
    change.unlock();
  }
}
