package dev.peerbar.virtio;

import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;

/**
 * The engine of a queue, which others may share: it knows which jobs are this queue's, so that a
 * reset of the queue ends those and no others. For the function's thread.
 */
final class QueueEngine implements Engine {
  private final Engine engine;

  /** Those that may not be over, the oldest first: they run in this order. */
  private final Deque<Entry> entries = new ArrayDeque<>();

  /** The one that runs, for the engine's thread; null while none of this queue does. */
  private Job running;

  private static final class Entry {
    private Ticket ticket = Ticket.NONE;
    private volatile boolean over;

    /** Whether it touches nothing any more. */
    boolean isOver() {
      return over || ticket.ended();
    }
  }

  QueueEngine(Engine engine) {
    this.engine = engine;
  }

  /**
   * Whether a job is one of this queue's that runs now. For the engine's thread; any other answer
   * than that thread's may be out of date.
   */
  boolean runs(Job job) {
    return running == job;
  }

  @Override
  public Ticket submit(Work work, Consumer<Throwable> failed) {
    while (!entries.isEmpty() && entries.getFirst().isOver()) {
      entries.removeFirst();
    }
    Entry entry = new Entry();
    entry.ticket =
        engine.submit(
            job -> {
              running = job;
              try {
                work.run(job);
              } finally {
                running = null;
                entry.over = true;
              }
            },
            failed);
    entries.addLast(entry);
    return entry.ticket;
  }

  /** Ends them all: when this returns, none of them touches memory any more. */
  void end() {
    entries.forEach(entry -> entry.ticket.end());
    entries.clear();
  }
}
