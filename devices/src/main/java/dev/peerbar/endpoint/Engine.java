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

  /**
   * Work that a driver asks for as often as it likes: while one run waits for the engine, another
   * request is none. Where a driver's writes would each {@link #submit} a job, this belongs.
   *
   * @param failed as for {@link #submit}, of each run
   */
  default RepeatedWork repeated(Work work, Consumer<Throwable> failed) {
    return new RepeatedWork(this, work, failed);
  }

  /** How much of what endpoints do the host does on the function's thread. */
  enum Polling {
    /** Nothing: there is no {@link #poll}. */
    NEVER,
    /** What is short, right after what brought it. A backlog is the engines' threads'. */
    BRIEFLY,
    /** All that need not wait: that thread does not sleep, and engines' threads cost another. */
    ALWAYS
  }

  /** Whether, and how far, the host polls; the same from start to end. For any thread. */
  default Polling polling() {
    return Polling.NEVER;
  }

  /**
   * Has the host look for work, and do it, on the function's thread: again and again if it polls
   * {@linkplain Polling#ALWAYS always}, and else after all that happens there. Jobs of this engine
   * run beside it.
   *
   * @param failed as for {@link #submit}; it is not looked at any more then
   * @return the means to end it; a reset of any kind ends it too
   * @throws UnsupportedOperationException if the host polls {@linkplain Polling#NEVER never}
   */
  default Ticket poll(Polled work, Consumer<Throwable> failed) {
    throw new UnsupportedOperationException("a host that does not poll");
  }

  /**
   * Work that is looked for. On the function's thread, where it must neither wait nor take long.
   */
  interface Polled {

    /**
     * Does a piece of work, some tens of microseconds of it, if there is any.
     *
     * @param job its memory accesses throw {@link MustWaitException} where they would have to wait;
     *     what is still to be done then has to be submitted to the engine
     * @return whether there was any
     */
    boolean poll(Job job) throws JobEndedException;

    /**
     * Nothing was found, and the host will not look until something happens on the function's
     * thread: what a driver does without that has to make something happen from now on.
     *
     * @return false if there is something to do after all
     */
    default boolean rest(Job job) throws JobEndedException {
      return true;
    }
  }

  /** A job as the function's thread sees it. */
  interface Ticket {

    /** Of no job. */
    Ticket NONE =
        new Ticket() {
          @Override
          public void end() {}

          @Override
          public boolean ended() {
            return true;
          }
        };

    /**
     * Ends the job: it issues nothing more, and none of its updates runs from now on. What it was
     * copying directly is drained before this returns, in bounded time. For the function's thread;
     * more than once is once. If it has not begun, its place among the engine's jobs is free again.
     */
    void end();

    /**
     * Whether the job has been ended, by {@link #end}, a reset or a pause. One that has run to its
     * end by itself has not. For the function's thread.
     */
    boolean ended();
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
