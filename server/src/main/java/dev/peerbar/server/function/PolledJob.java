package dev.peerbar.server.function;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import dev.peerbar.server.dma.Bounce;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.EngineName;
import dev.peerbar.server.dma.JobState;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Work that is looked for on the function's thread, which is where all of this is called. Whatever
 * changes there changes between two pieces of it: there is nothing to keep it apart from.
 */
final class PolledJob implements Job, Engine.Ticket {
  private static final Logger log = LoggerFactory.getLogger(PolledJob.class);

  private final EngineName name;
  private final PolledJobs all;
  private final InterruptTable interrupts;
  private final Executor functionThread;
  private final Engine.Polled work;
  private final Consumer<Throwable> failed;
  private final JobState state = new JobState();
  private final Bounce bounce = new Bounce();
  private final Dma dma;

  /**
   * @param functionThread runs what it is given on the function's thread, later
   */
  PolledJob(
      EngineName name,
      PolledJobs all,
      BusMaster bus,
      InterruptTable interrupts,
      Executor functionThread,
      Engine.Polled work,
      Consumer<Throwable> failed) {
    this.name = name;
    this.all = all;
    this.interrupts = interrupts;
    this.functionThread = functionThread;
    this.work = work;
    this.failed = failed;
    dma = bus.dmaInPlace(state, name, bounce);
  }

  /** Does a piece of work. Returns whether there was any. */
  boolean poll() {
    return look(false);
  }

  /** There will be no look for a while. Returns false if there is something to do first. */
  boolean rest() {
    return look(true);
  }

  private boolean look(boolean rests) {
    if (state.ended()) {
      return rests;
    }
    try {
      return rests ? work.rest(this) : work.poll(this);
    } catch (MustWaitException e) {
      threw(new IllegalStateException("polled work was not handed over", e));
    } catch (JobEndedException _) {
      log.debug("{}: polled work ended early", name);
    } catch (RuntimeException | Error e) {
      threw(e);
    }
    // Something has happened: there was work, or there is something to look at before a rest.
    return !rests;
  }

  private void threw(Throwable cause) {
    log.error("{}: the endpoint's work failed", name, cause);
    all.remove(this);
    // After the updates that it has made.
    functionThread.execute(() -> tell(cause));
  }

  private void tell(Throwable cause) {
    if (!state.ended()) {
      end();
      failed.accept(cause);
    }
  }

  @Override
  public void end() {
    if (!state.ended()) {
      state.end();
      all.remove(this);
      bounce.close();
    }
  }

  @Override
  public boolean ended() {
    return state.ended();
  }

  @Override
  public Dma dma() {
    return dma;
  }

  @Override
  public void update(Runnable change) throws JobEndedException {
    state.check();
    functionThread.execute(() -> {
      if (state.ended()) {
        return;
      }
      try {
        change.run();
      } catch (RuntimeException | Error e) {
        threw(e);
      }
    });
  }

  @Override
  public void raise(int vector) throws JobEndedException {
    if (!signal(vector)) {
      interrupts.raise(vector);
    }
  }

  @Override
  public boolean signal(int vector) throws JobEndedException {
    state.check();
    return interrupts.signalAtOnce(vector);
  }
}
