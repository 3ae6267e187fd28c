package dev.peerbar.engine;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import java.util.function.Consumer;

/**
 * Work of which the device is told if it fails, in one place: that memory could not be reached as
 * well as what it threw. For work beside descriptors and commands, which a {@link Guard} carries
 * out. May be submitted any number of times.
 */
public final class GuardedWork implements Engine.Work {
  private final Body body;
  private final Consumer<Throwable> failed;

  /** What there is to do, on the engine's thread. */
  @FunctionalInterface
  public interface Body {
    void run(Job job) throws DmaFaultException, JobEndedException;
  }

  /**
   * @param failed told, on the function's thread and not after the job was ended, the fault or what
   *     was thrown
   */
  public GuardedWork(Body body, Consumer<Throwable> failed) {
    this.body = body;
    this.failed = failed;
  }

  /** Queues the work. For the function's thread. */
  public Engine.Ticket submitTo(Engine engine) {
    return engine.submit(this, failed);
  }

  @Override
  public void run(Job job) throws JobEndedException {
    try {
      body.run(job);
    } catch (DmaFaultException fault) {
      job.update(() -> failed.accept(fault));
    }
  }
}
