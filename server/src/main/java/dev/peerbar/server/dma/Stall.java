package dev.peerbar.server.dma;

import dev.peerbar.endpoint.JobEndedException;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Predicate;

/** Holds engines up until it ends, or their jobs do. */
final class Stall {
  private final Predicate<String> engines;

  // Guarded by this; a job's monitor is taken inside of it, never the other way round.
  private final Set<JobState> waiting = new HashSet<>();
  private volatile boolean over;

  /**
   * @param engines whether one is held up, by its name
   */
  Stall(Predicate<String> engines) {
    this.engines = engines;
  }

  /** Whether an engine is held up. */
  boolean holds(EngineName engine) {
    return engines.test(engine.engine());
  }

  /** For an engine's thread, which holds nothing. */
  void await(JobState job, EngineName engine) throws JobEndedException {
    if (!holds(engine)) {
      return;
    }
    synchronized (this) {
      waiting.add(job);
    }
    try {
      synchronized (job) {
        while (!over && !job.ended()) {
          job.wait();
        }
      }
    } catch (InterruptedException e) {
      // The engine is being shut down: as good as ended.
      Thread.currentThread().interrupt();
      throw new JobEndedException();
    } finally {
      synchronized (this) {
        waiting.remove(job);
      }
    }
    job.check();
  }

  /** Lets all of them go on. For the function's thread. */
  void end() {
    over = true;
    synchronized (this) {
      for (JobState job : waiting) {
        synchronized (job) {
          job.notifyAll();
        }
      }
    }
  }
}
