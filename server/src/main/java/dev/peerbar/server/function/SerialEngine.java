package dev.peerbar.server.function;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.JobLife;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** An engine: one thread, which goes when there is nothing to do for a while. */
final class SerialEngine implements Engine {
  private static final Logger log = LoggerFactory.getLogger(SerialEngine.class);
  private static final long IDLE_SECONDS = 10;

  private final String name;
  private final BusMaster bus;
  private final Executor functionThread;
  private final ThreadPoolExecutor worker;
  // Jobs that are queued or running: the function's thread only.
  private final Set<JobLife> live = new HashSet<>();

  SerialEngine(String name, BusMaster bus, Executor functionThread) {
    this.name = name;
    this.bus = bus;
    this.functionThread = functionThread;
    this.worker =
        new ThreadPoolExecutor(
            1,
            1,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            Thread.ofPlatform().daemon().name(name).factory());
    worker.allowCoreThreadTimeOut(true);
  }

  @Override
  public Ticket submit(Work work) {
    JobLife life = new JobLife();
    live.add(life);
    worker.execute(() -> run(work, life));
    return () -> end(life);
  }

  private void run(Work work, JobLife life) {
    try {
      life.check();
      work.run(new RunningJob(life, bus.dma(life)));
    } catch (JobEndedException _) {
      log.debug("{}: job ended early", name);
    } catch (RuntimeException e) {
      log.error("{}: the endpoint's work failed", name, e);
    } finally {
      functionThread.execute(() -> live.remove(life));
    }
  }

  private void end(JobLife life) {
    if (live.remove(life)) {
      life.end();
      bus.gate().drain();
    }
  }

  /** Ends every job, queued or running, without draining. For the function's thread. */
  void endAll() {
    live.forEach(JobLife::end);
    live.clear();
  }

  void shutDown() {
    worker.shutdownNow();
  }

  private final class RunningJob implements Job {
    private final JobLife life;
    private final Dma dma;

    RunningJob(JobLife life, Dma dma) {
      this.life = life;
      this.dma = dma;
    }

    @Override
    public Dma dma() {
      return dma;
    }

    @Override
    public void update(Runnable change) throws JobEndedException {
      life.check();
      functionThread.execute(() -> {
        if (!life.ended()) {
          change.run();
        }
      });
    }
  }
}
