package dev.peerbar.virtio;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
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
  private final Deque<QueueJob> jobs = new ArrayDeque<>();

  /** How often they have been ended. */
  private int endings;

  /** The one that runs, for the engine's thread; null while none of this queue does. */
  private Job running;

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
    while (!jobs.isEmpty() && jobs.getFirst().isOver()) {
      jobs.removeFirst();
    }
    QueueJob job = new QueueJob(work);
    job.ticket = engine.submit(job::run, cause -> job.unlessEnded(() -> failed.accept(cause)));
    jobs.addLast(job);
    return job.ticket;
  }

  /**
   * Ends them all: when this returns, none of them touches memory any more, and none of their
   * updates is to come, of those that were over either.
   */
  void end() {
    endings++;
    jobs.forEach(job -> job.ticket.end());
    jobs.clear();
  }

  /** A job of this queue: what it has to say is dropped if the queue is reset before. */
  private final class QueueJob implements Job {
    private final Work work;
    private final int begunAt = endings;
    private Ticket ticket = Ticket.NONE;
    private Job job;
    private volatile boolean over;

    QueueJob(Work work) {
      this.work = work;
    }

    /** On the engine's thread. */
    void run(Job given) throws JobEndedException {
      job = given;
      running = this;
      try {
        work.run(this);
      } finally {
        running = null;
        over = true;
      }
    }

    /** Whether it touches nothing any more. */
    boolean isOver() {
      return over || ticket.ended();
    }

    /** For the function's thread. */
    void unlessEnded(Runnable change) {
      if (begunAt == endings) {
        change.run();
      }
    }

    @Override
    public Dma dma() {
      return job.dma();
    }

    @Override
    public void update(Runnable change) throws JobEndedException {
      job.update(() -> unlessEnded(change));
    }

    @Override
    public void raise(int vector) throws JobEndedException {
      job.raise(vector);
    }

    @Override
    public boolean signal(int vector) throws JobEndedException {
      return job.signal(vector);
    }
  }
}
