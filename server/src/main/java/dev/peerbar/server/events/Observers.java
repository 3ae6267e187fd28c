package dev.peerbar.server.events;

import java.util.function.Consumer;

/**
 * Who is told of every event of this process, besides the flight recorder: nobody, or one. For any
 * thread.
 */
public final class Observers {
  // Null is nobody: read on the path of every register access.
  private static volatile Consumer<? super TraceEvent> observer;

  private Observers() {}

  /**
   * Tells of everything from now on.
   *
   * @param newObserver is called on the threads that serve, several at a time, and must neither
   *     wait nor throw
   * @throws IllegalStateException if there is one already
   */
  public static synchronized void observe(Consumer<? super TraceEvent> newObserver) {
    if (observer != null) {
      throw new IllegalStateException("observed already");
    }
    observer = newObserver;
  }

  /** Tells no more, if it is this one that is told. */
  public static synchronized void leave(Consumer<? super TraceEvent> oldObserver) {
    if (observer == oldObserver) {
      observer = null;
    }
  }

  static boolean present() {
    return observer != null;
  }

  static void tell(TraceEvent event) {
    Consumer<? super TraceEvent> present = observer;
    if (present != null) {
      present.accept(event);
    }
  }
}
