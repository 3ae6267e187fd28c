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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** An engine: one thread, which goes when there is nothing to do for a while. */
final class SerialEngine implements Engine {
  private static final Logger log = LoggerFactory.getLogger(SerialEngine.class);
  private static final long IDLE_SECONDS = 10;

  /** What each engine's thread copies through, and takes with it when it goes. */
  private static final ThreadLocal<Bounce> BOUNCE = ThreadLocal.withInitial(Bounce::new);

  private final EngineName name;
  private final BusMaster bus;
  private final InterruptTable interrupts;
  private final Executor functionThread;
  private final ThreadPoolExecutor worker;
  // Jobs that are queued or running, or have updates that may still run, and some that are over:
  // the function's thread only.
  private final Set<JobLife> live = new HashSet<>();
  // Those that are over. The function's thread is not woken to forget them.
  private final Queue<JobLife> over = new ConcurrentLinkedQueue<>();
  // Jobs that have not returned from their work, ended or not.
  private final Unfinished unfinished = new Unfinished();

  SerialEngine(EngineName name, BusMaster bus, InterruptTable interrupts, Executor functionThread) {
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
            SerialEngine.threads(name));
    worker.allowCoreThreadTimeOut(true);
  }

  private static ThreadFactory threads(EngineName name) {
    ThreadFactory threads = Thread.ofPlatform().daemon().name(name.toString()).factory();
    return work ->
        threads.newThread(() -> {
          // Work that naps between two looks at memory means short naps.
          TimerSlack.least();
          try {
            work.run();
          } finally {
            BOUNCE.get().close();
          }
        });
  }

  @Override
  public Ticket submit(Work work) {
    JobLife life = new JobLife();
    forgetOver();
    live.add(life);
    unfinished.add();
    worker.execute(() -> run(work, life));
    return () -> end(life);
  }

  private void run(Work work, JobLife life) {
    RunningJob job = new RunningJob(life, bus.dma(life, name, BOUNCE.get()));
    try {
      life.check();
      work.run(job);
    } catch (JobEndedException _) {
      log.debug("{}: job ended early", name);
    } catch (RuntimeException | Error e) {
      log.error("{}: the endpoint's work failed", name, e);
    } finally {
      unfinished.remove();
      if (job.updated) {
        forgetAfterUpdates(life);
      } else {
        over.add(life);
      }
    }
  }

  private void forgetAfterUpdates(JobLife life) {
    try {
      functionThread.execute(() -> live.remove(life));
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
      bus.gate().revoke(() -> {});
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
    private final Dma dma;
    private boolean updated;

    // Vectors that wait for the function's thread to raise them; null as long as there was none.
    private Set<Integer> waiting;

    RunningJob(JobLife life, Dma dma) {
      this.life = life;
      this.dma = dma;
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
        if (!life.ended()) {
          change.run();
        }
      });
    }
  }
}
