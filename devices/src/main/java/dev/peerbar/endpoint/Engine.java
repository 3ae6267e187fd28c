package dev.peerbar.endpoint;

/** A serial worker of a function. */
public interface Engine {

  /**
   * Queues work and returns at once. For the function's thread.
   *
   * @return the means to end it early; a reset of any kind ends it too
   */
  Ticket submit(Work work);

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
