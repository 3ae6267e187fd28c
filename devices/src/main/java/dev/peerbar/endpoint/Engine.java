package dev.peerbar.endpoint;

import java.util.function.Consumer;

/** A serial worker of a function. */
public interface Engine {

  /**
   * Queues work and returns at once. For the function's thread.
   *
   * <p>Work is not meant to throw: if it does all the same, by a mistake of its author's or for
   * want of memory, its endpoint has to show that as an error of the device, or a driver waits for
   * ever.
   *
   * @param failed told, on the function's thread and after the updates that the job had made, what
   *     the work threw, or one of its updates; once at most, and not at all if the job had been
   *     ended. The host has logged it.
   * @return the means to end it early; a reset of any kind ends it too
   */
  Ticket submit(Work work, Consumer<Throwable> failed);

  /**
   * Queues work for whose failure the endpoint has no error to show: the host does then what it
   * does when an access to a register fails, and hangs up on the client.
   */
  default Ticket submit(Work work) {
    return submit(
        work,
        cause -> {
          throw new IllegalStateException("work failed", cause);
        });
  }

  /** A job as the function's thread sees it. */
  interface Ticket {

    /**
     * Ends the job: it issues nothing more, and none of its updates runs from now on. What it was
     * copying directly is drained before this returns, in bounded time. For the function's thread;
     * more than once is once.
     */
    void end();
  }

  /** What runs on the engine's thread. */
  @FunctionalInterface
  interface Work {

    /**
     * @throws JobEndedException to let through what {@link Job} and {@link Dma} throw once the job
     *     has ended
     */
    void run(Job job) throws JobEndedException;
  }
}
