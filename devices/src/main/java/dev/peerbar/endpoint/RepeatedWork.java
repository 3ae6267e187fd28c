package dev.peerbar.endpoint;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * Work that is asked for again and again, and finds out for itself what there is to do: what a
 * doorbell begins. However often it is asked for, at most one run waits for the engine, so that
 * what a driver writes cannot fill its queue. Made by {@link Engine#repeated}; for the function's
 * thread.
 *
 * <p>A run sees everything that the function's thread did before any request that it stands for: a
 * request that comes too late to be seen by the run that is under way has another one follow. It
 * may be one too many, which has nothing left to do.
 */
public final class RepeatedWork {
  private final Engine engine;
  private final Engine.Work work;
  private final Consumer<Throwable> failed;

  /** The run that was asked for last, and the one before, which may be under way still. */
  private Run last = new Run();

  private Run before = last;

  /** A job, and whether it has yet to begin. */
  private static final class Run {
    private final AtomicBoolean waits = new AtomicBoolean();
    private Engine.Ticket ticket = Engine.Ticket.NONE;

    void begin() {
      // Reads what the last request wrote, and so sees what was done before that.
      waits.getAndSet(false);
    }

    /** Whether it is still to begin, and so stands for a request of now. */
    boolean takesOn() {
      return waits.compareAndSet(true, true) && !ticket.ended();
    }
  }

  RepeatedWork(Engine engine, Engine.Work work, Consumer<Throwable> failed) {
    this.engine = engine;
    this.work = work;
    this.failed = failed;
  }

  /** Has the work run, after all that the engine has been given. Returns at once. */
  public void request() {
    if (last.takesOn()) {
      return;
    }
    Run run = new Run();
    run.waits.set(true);
    before = last;
    last = run;
    run.ticket =
        engine.submit(
            job -> {
              run.begin();
              work.run(job);
            },
            cause -> {
              // It may have failed before it began.
              run.begin();
              failed.accept(cause);
            });
  }

  /** Ends the run that is under way and the one that waits, as {@link Engine.Ticket#end}. */
  public void end() {
    before.ticket.end();
    last.ticket.end();
  }
}
