package dev.peerbar.server.function;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.server.dma.Bounce;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.EngineName;
import dev.peerbar.server.dma.JobState;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An engine: one thread, which goes when there is nothing to do for a while; and, where the
 * function is polled, work that its thread does.
 */
final class SerialEngine implements Engine {
  private static final Logger log = LoggerFactory.getLogger(SerialEngine.class);
  private static final long IDLE_SECONDS = 10;

  /** What each engine's thread copies through, and takes with it when it goes. */
  private static final ThreadLocal<Bounce> BOUNCE = ThreadLocal.withInitial(Bounce::new);

  private final EngineName name;
  private final BusMaster bus;
  private final InterruptTable interrupts;
  private final Executor functionThread;
  private final PolledJobs polled;
  private final ThreadPoolExecutor worker;
  // Jobs that are queued or running, or have updates that may still run, and some that are over:
  // the function's thread only.
  private final Set<RunningJob> live = new HashSet<>();
  // Those that are over. The function's thread is not woken to forget them.
  private final Queue<RunningJob> over = new ConcurrentLinkedQueue<>();
  // Jobs that have not returned from their work, ended or not.
  private final Unfinished unfinished = new Unfinished();

  SerialEngine(
      EngineName name,
      BusMaster bus,
      InterruptTable interrupts,
      Executor functionThread,
      PolledJobs polled,
      EngineThreads threads) {
    this(name, bus, interrupts, functionThread, polled, threads.of(name));
  }

  /**
   * @param threads makes the thread, each time that there is something to do again
   */
  SerialEngine(
      EngineName name,
      BusMaster bus,
      InterruptTable interrupts,
      Executor functionThread,
      PolledJobs polled,
      ThreadFactory threads) {
    this.name = name;
    this.bus = bus;
    this.interrupts = interrupts;
    this.functionThread = functionThread;
    this.polled = polled;
    this.worker =
        new ThreadPoolExecutor(
            1,
            1,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            work -> threads.newThread(() -> runAndFree(work)));
    worker.allowCoreThreadTimeOut(true);
  }

  /** What a thread of this engine does: with it goes the memory that its jobs copied through. */
  private static void runAndFree(Runnable work) {
    try {
      work.run();
    } finally {
      BOUNCE.get().close();
    }
  }

  @Override
  public Ticket submit(Work work, Consumer<Throwable> failed) {
    RunningJob job = new RunningJob(work, failed);
    forgetOver();
    live.add(job);
    unfinished.add();
    try {
      worker.execute(job);
    } catch (Error e) {
      // There is no room for another thread: the work has failed before it began.
      job.threw(e);
      leave(job);
    }
    return job;
  }

  @Override
  public Polling polling() {
    return polled.polling();
  }

  @Override
  public Ticket poll(Polled work, Consumer<Throwable> failed) {
    if (polling() == Polling.NEVER) {
      return Engine.super.poll(work, failed);
    }
    PolledJob job =
        new PolledJob(name, polled, bus, interrupts, this::onFunctionThread, work, failed);
    polled.add(job);
    return job;
  }

  private void leave(RunningJob job) {
    unfinished.remove();
    if (job.updated) {
      // After all that the job has left to do there.
      onFunctionThread(() -> live.remove(job));
    } else {
      over.add(job);
    }
  }

  private void onFunctionThread(Runnable change) {
    try {
      functionThread.execute(change);
    } catch (RejectedExecutionException _) {
      // The server has stopped, and this job with it.
    }
  }

  private void forgetOver() {
    for (RunningJob job = over.poll(); job != null; job = over.poll()) {
      live.remove(job);
    }
  }

  private void end(RunningJob job) {
    if (live.remove(job)) {
      job.state.end();
      withdraw(job);
      bus.gate().revoke(() -> {});
    }
  }

  /**
   * A job that has been ended and has not begun does not wait any more: a driver that begins and
   * ends work again and again, while the engine is held up, must not fill its queue.
   */
  private void withdraw(RunningJob job) {
    if (worker.remove(job)) {
      unfinished.remove();
    }
  }

  /** Jobs that have not begun; ended ones are not among them. For any thread. */
  int waiting() {
    return worker.getQueue().size();
  }

  /**
   * Ends every job, queued or running, without draining. For the function's thread.
   *
   * @return how many
   */
  int endAll() {
    forgetOver();
    int count = live.size();
    live.forEach(job -> job.state.end());
    live.clear();
    // Whatever waits has been ended.
    List<Runnable> waiting = new ArrayList<>();
    worker.getQueue().drainTo(waiting);
    waiting.forEach(_ -> unfinished.remove());
    return count;
  }

  /**
   * Waits until no job is inside its work. For the function's thread, after {@link #endAll}: what
   * has been ended leaves by itself.
   *
   * @param deadline of {@link System#nanoTime}
   * @return false if one is still inside at the deadline
   */
  boolean awaitIdle(long deadline) {
    return unfinished.awaitNone(deadline);
  }

  void shutDown() {
    worker.shutdownNow();
  }

  private static final class Unfinished {
    private int count;

    synchronized void add() {
      count++;
    }

    synchronized void remove() {
      count--;
      notifyAll();
    }

    synchronized boolean awaitNone(long deadline) {
      while (count > 0) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          return false;
        }
        try {
          TimeUnit.NANOSECONDS.timedWait(this, left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return false;
        }
      }
      return true;
    }
  }

  private final class RunningJob implements Job, Ticket, Runnable {
    private final JobState state = new JobState();
    private final Work work;
    private final Consumer<Throwable> failed;
    private Dma dma;
    private boolean updated;

    /** Whether the endpoint knows that the job threw: for the function's thread. */
    private boolean told;

    // Vectors that wait for the function's thread to raise them; null as long as there was none.
    private Set<Integer> waiting;

    RunningJob(Work work, Consumer<Throwable> failed) {
      this.work = work;
      this.failed = failed;
    }

    /** On the engine's thread. */
    @Override
    public void run() {
      try {
        state.check();
        dma = bus.dma(state, name, BOUNCE.get());
        work.run(this);
      } catch (JobEndedException _) {
        log.debug("{}: job ended early", name);
      } catch (Throwable e) {
        // Whatever it is, a driver must not wait for ever for what this work was to do.
        threw(e);
      } finally {
        leave(this);
      }
    }

    @Override
    public void end() {
      SerialEngine.this.end(this);
    }

    @Override
    public boolean ended() {
      return state.ended();
    }

    /** Has the endpoint told what the work threw, after the updates that it has made. */
    void threw(Throwable cause) {
      updated = true;
      onFunctionThread(() -> tell(cause));
      log.error("{}: the endpoint's work failed", name, cause);
    }

    private void tell(Throwable cause) {
      if (!state.ended() && !told) {
        told = true;
        failed.accept(cause);
      }
    }

    @Override
    public Dma dma() {
      return dma;
    }

    @Override
    public void raise(int vector) throws JobEndedException {
      // A vector that waits to be raised need not wait twice: work that interrupts without an end
      // must not fill the queue of the function's thread while something holds its vector back.
      if (!signal(vector) && waiting().add(vector)) {
        update(() -> {
          waiting.remove(vector);
          interrupts.raise(vector);
        });
      }
    }

    private Set<Integer> waiting() {
      if (waiting == null) {
        waiting = ConcurrentHashMap.newKeySet();
      }
      return waiting;
    }

    @Override
    public boolean signal(int vector) throws JobEndedException {
      bus.gate().enter();
      try {
        state.check();
        return interrupts.signalAtOnce(vector);
      } finally {
        bus.gate().exit();
      }
    }

    @Override
    public void update(Runnable change) throws JobEndedException {
      state.check();
      updated = true;
      functionThread.execute(() -> {
        if (state.ended()) {
          return;
        }
        try {
          change.run();
        } catch (Throwable e) {
          log.error("{}: what the endpoint's work brought about failed", name, e);
          tell(e);
        }
      });
    }
  }
}
