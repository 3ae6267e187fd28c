package dev.peerbar.server.function;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.linux.TimerSlack;
import dev.peerbar.server.dma.Bounce;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.EngineName;
import dev.peerbar.server.dma.JobLife;
import java.util.HashSet;
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

/** An engine: one thread, which goes when there is nothing to do for a while. */
final class SerialEngine implements Engine {
  private static final Logger log = LoggerFactory.getLogger(SerialEngine.class);
  private static final long IDLE_SECONDS = 10;

  private final EngineName name;
  private final BusMaster bus;
  private final InterruptTable interrupts;
  private final Executor functionThread;
  // Of the engine's thread, of which there is one at a time.
  private final ThreadLocal<Bounce> bounce = ThreadLocal.withInitial(Bounce::new);
  private final ThreadPoolExecutor worker;
  // Jobs that are queued or running, or have updates that may still run, and some that are over:
  // the function's thread only.
  private final Set<JobLife> live = new HashSet<>();
  // Those that are over. The function's thread is not woken to forget them.
  private final Queue<JobLife> over = new ConcurrentLinkedQueue<>();
  // Jobs that have not returned from their work, ended or not.
  private final Unfinished unfinished = new Unfinished();

  SerialEngine(EngineName name, BusMaster bus, InterruptTable interrupts, Executor functionThread) {
    this(name, bus, interrupts, functionThread, threads(name));
  }

  /**
   * @param threads makes the thread, each time that there is something to do again
   */
  SerialEngine(
      EngineName name,
      BusMaster bus,
      InterruptTable interrupts,
      Executor functionThread,
      ThreadFactory threads) {
    this.name = name;
    this.bus = bus;
    this.interrupts = interrupts;
    this.functionThread = functionThread;
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

  private static ThreadFactory threads(EngineName name) {
    ThreadFactory threads = Thread.ofPlatform().daemon().name(name.toString()).factory();
    return work ->
        threads.newThread(() -> {
          // Work that naps between two looks at memory means short naps.
          TimerSlack.least();
          work.run();
        });
  }

  /** What a thread of this engine does: with it goes the memory that its jobs copied through. */
  private void runAndFree(Runnable work) {
    try {
      work.run();
    } finally {
      bounce.get().close();
    }
  }

  @Override
  public Ticket submit(Work work, Consumer<Throwable> failed) {
    JobLife life = new JobLife();
    RunningJob job = new RunningJob(life, failed);
    forgetOver();
    live.add(life);
    unfinished.add();
    try {
      worker.execute(() -> run(work, job));
    } catch (Error e) {
      // There is no room for another thread: the work has failed before it began.
      job.threw(e);
      leave(job);
    }
    return () -> end(life);
  }

  private void run(Work work, RunningJob job) {
    try {
      job.life.check();
      job.dma = bus.dma(job.life, name, bounce.get());
      work.run(job);
    } catch (JobEndedException _) {
      log.debug("{}: job ended early", name);
    } catch (Throwable e) {
      // Whatever it is, a driver must not wait for ever for what this work was to do.
      job.threw(e);
    } finally {
      leave(job);
    }
  }

  private void leave(RunningJob job) {
    unfinished.remove();
    if (job.updated) {
      // After all that the job has left to do there.
      onFunctionThread(() -> live.remove(job.life));
    } else {
      over.add(job.life);
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
    for (JobLife life = over.poll(); life != null; life = over.poll()) {
      live.remove(life);
    }
  }

  private void end(JobLife life) {
    if (live.remove(life)) {
      life.end();
      bus.gate().drain();
    }
  }

  /**
   * Ends every job, queued or running, without draining. For the function's thread.
   *
   * @return how many
   */
  int endAll() {
    forgetOver();
    int count = live.size();
    live.forEach(JobLife::end);
    live.clear();
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

  private final class RunningJob implements Job {
    private final JobLife life;
    private final Consumer<Throwable> failed;
    private Dma dma;
    private boolean updated;

    /** Whether the endpoint knows that the job threw: for the function's thread. */
    private boolean told;

    // Vectors that wait for the function's thread to raise them; null as long as there was none.
    private Set<Integer> waiting;

    RunningJob(JobLife life, Consumer<Throwable> failed) {
      this.life = life;
      this.failed = failed;
    }

    /** Has the endpoint told what the work threw, after the updates that it has made. */
    void threw(Throwable cause) {
      updated = true;
      onFunctionThread(() -> tell(cause));
      log.error("{}: the endpoint's work failed", name, cause);
    }

    private void tell(Throwable cause) {
      if (!life.ended() && !told) {
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
        life.check();
        return interrupts.signalAtOnce(vector);
      } finally {
        bus.gate().exit();
      }
    }

    @Override
    public void update(Runnable change) throws JobEndedException {
      life.check();
      updated = true;
      functionThread.execute(() -> {
        if (life.ended()) {
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
