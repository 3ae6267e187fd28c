package dev.peerbar.engine;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/**
 * A DMA channel without its registers: fetches descriptors, has each carried out and completed, in
 * order, and signals. For the function's thread; the work is done on the engine's.
 *
 * <p>A channel is started on a {@link DescriptorSource} and then told how many more descriptors are
 * valid. What is valid when the engine begins is done in one job, up to {@value #MOST_FETCHED}
 * fetched at a time, so that a descriptor that is changed after it was declared valid may run as it
 * was.
 *
 * <p>The engine counts what is complete, and the function's thread looks when somebody asks: to be
 * told of each descriptor it would have to wake up for each. It is woken when it has something to
 * do: to raise an interrupt that is held back, to take a failure, or to have the engine do what
 * became valid meanwhile.
 *
 * <p>Where the host polls, the function's thread carries descriptors out itself, a turn at a time,
 * and leaves to a job what it must not: a descriptor that has to wait or takes long, which is begun
 * again from its start, and those behind it. What one run of a descriptor would have left, two do,
 * as nothing has said after the first that it is done: its driver still keeps its source for it. If
 * the host polls only {@linkplain Engine.Polling#BRIEFLY briefly}, a job takes over what is left
 * after a turn, too, so that several channels have several processors.
 *
 * <p>Nothing is allocated for a descriptor, nor for a batch of them beyond the host's job.
 *
 * @param <F> a failure as the device tells it
 */
public final class DmaChannel<F> {
  /** Descriptors that are fetched at a time, at most. */
  public static final int MOST_FETCHED = 16;

  /** How long the function's thread carries out descriptors before it looks at anything else. */
  private static final long TURN_NANOS = 20_000;

  private final Engine engine;
  private final DescriptorHandler<F> handler;
  private final Owner<F> owner;
  private final Guard<F> guard;
  private final FetchBuffer fetched;

  /** Since the last start; null while the channel is stopped. */
  private Run run;

  /** The one before that, of which a job that has ended may not have returned yet. */
  private Run before;

  /** The device's side of a channel. For the function's thread, but for {@link #vector}. */
  public interface Owner<F> {

    /**
     * Some descriptors are complete.
     *
     * @param count how many since the last call
     * @param last IOVA of the last one, or of a later one that is complete by now too
     */
    void completed(int count, long last);

    /** The channel has stopped at the descriptor after those that are complete. */
    void failed(F failure);

    /** A descriptor has asked for an interrupt, which the engine could not signal. */
    void interrupt();

    /**
     * Which vector the engine signals when a descriptor asks for it. For the engine's thread.
     *
     * @return negative to have {@link #interrupt} called instead
     */
    int vector();
  }

  /**
   * @param engine of this channel alone
   * @param descriptorBytes of each descriptor, a power of two of at least 8
   */
  public DmaChannel(
      Engine engine, int descriptorBytes, DescriptorHandler<F> handler, Owner<F> owner) {
    this.engine = engine;
    this.handler = handler;
    this.owner = owner;
    guard = new Guard<>("a descriptor", handler);
    fetched = new FetchBuffer(descriptorBytes, MOST_FETCHED);
  }

  /** Starts afresh, with nothing valid yet. */
  public void start(DescriptorSource source) {
    stop();
    run = new Run(source);
    run.begin(before != null && before.away);
    before = run;
  }

  /**
   * Says how many descriptors are valid beyond those that the engine was {@link #given}. What was
   * said before is forgotten. Does nothing while the channel is stopped.
   */
  public void more(int count) {
    if (run != null) {
      run.more(count);
    }
  }

  /**
   * Stops: nothing is issued any more, and the owner is told nothing more of it. What is complete
   * and was not told is forgotten: to have it told, {@link #catchUp} first.
   */
  public void stop() {
    if (run != null) {
      Run stopped = run;
      run = null;
      stopped.end();
    }
  }

  /**
   * Stops where the host has ended all jobs, and submits none: tells the owner what is complete
   * first.
   */
  public void leave() {
    if (run != null) {
      run.leaves = true;
      run.tell();
      stop();
    }
  }

  /** Tells the owner what the engine has done by now: before a register is accessed. */
  public void catchUp() {
    if (run != null) {
      run.tell();
    }
  }

  /** How many descriptors the engine was given that the owner does not know to be complete. */
  public int given() {
    return run == null ? 0 : (int) (run.limit - run.told);
  }

  /** Whether there are valid descriptors that are not known to be complete. */
  public boolean running() {
    return run != null && run.told != run.valid;
  }

  /**
   * Stops the engine before the next descriptor, to go on where it was at {@link #resume}. Does not
   * wait for it: {@link #suspended} says when it has stopped.
   */
  public void suspend() {
    if (run != null) {
      run.pace.compareAndSet(Pace.GOING, Pace.STOPPING);
    }
  }

  /** Whether nothing is done until {@link #resume}. */
  public boolean suspended() {
    return run != null && run.suspended();
  }

  /** Goes on after {@link #suspend}. */
  public void resume() {
    if (run != null) {
      run.resume();
    }
  }

  private enum Pace {
    GOING,
    /** Asked to stop. */
    STOPPING,
    /** The job has left descriptors that it was given. */
    STOPPED
  }

  /**
   * What is done between a start and the next stop: by jobs of the engine, or on the function's
   * thread.
   */
  private final class Run implements Engine.Work, Engine.Polled {
    private final DescriptorSource source;
    private final AtomicReference<Pace> pace = new AtomicReference<>(Pace.GOING);

    // Written by the engine's thread alone: how many are complete, the last one, and why there will
    // be no more.
    private final AtomicLong finished = new AtomicLong();
    private final AtomicLong last = new AtomicLong();
    private volatile F failure;

    /** Whether an interrupt waits for the function's thread. */
    private final AtomicBoolean held = new AtomicBoolean();

    /** How many are valid, complete or not. Written by the function's thread alone. */
    private volatile long valid;

    /** How many the engine was given. Written by the function's thread alone. */
    private volatile long limit;

    /** How many the function's thread knows to be complete. */
    private long told;

    /** Whether nothing more is to be submitted. */
    private boolean leaves;

    // A job that has done all it was given may yet signal when the next one is queued.
    private Engine.Ticket ticket = Engine.Ticket.NONE;
    private Engine.Ticket ticketBefore = Engine.Ticket.NONE;
    private Engine.Ticket polling = Engine.Ticket.NONE;

    /** Whether what is given is a job's to do. It says so itself once it is not. */
    private volatile boolean away;

    // For whoever carries descriptors out: of the job under way, and of those fetched last, which a
    // job that was asked to stop leaves to the next one.
    private Dma dma;
    private int batch;
    private int nextInBatch;

    // Made once: nothing is allocated for a job.
    private final Runnable tell = this::tell;
    private final Consumer<Throwable> threw = this::threw;

    Run(DescriptorSource source) {
      this.source = source;
    }

    // The function's thread.

    void more(int count) {
      // The engine looks at this after its last one; if it did so before, that one is seen here.
      valid = limit + count;
      tell();
    }

    /**
     * @param engineAway whether the engine may be inside a job yet, with what all runs work with
     */
    void begin(boolean engineAway) {
      if (polls()) {
        polling = engine.poll(this, threw);
        if (engineAway) {
          handOver();
        }
      }
    }

    private boolean polls() {
      return engine.polling() != Engine.Polling.NEVER;
    }

    /** Gives away what is valid by now. */
    private void give() {
      limit = valid;
      if (!polls()) {
        submit();
      }
    }

    private void submit() {
      ticketBefore = ticket;
      ticket = engine.submit(this, threw);
    }

    void end() {
      polling.end();
      ticketBefore.end();
      ticket.end();
    }

    @Override
    public boolean poll(Job job) throws JobEndedException {
      if (finished.getPlain() == limit || away || failure != null || pace.get() == Pace.STOPPED) {
        return false;
      }
      try {
        if (runAll(job, true) && engine.polling() == Engine.Polling.BRIEFLY) {
          handOver();
        }
      } catch (MustWaitException _) {
        handOver();
      }
      tell();
      return true;
    }

    /** Has a job of the engine go on. */
    private void handOver() {
      away = true;
      submit();
    }

    boolean suspended() {
      return switch (pace.get()) {
        case GOING -> false;
        case STOPPING -> told == limit;
        case STOPPED -> true;
      };
    }

    void resume() {
      if (pace.getAndSet(Pace.GOING) == Pace.STOPPED) {
        give();
      }
      tell();
    }

    void tell() {
      if (run != this) {
        return;
      }
      // In this order: what is complete before a failure is seen together with it.
      F failed = failure;
      long complete = finished.get();
      if (complete != told) {
        int news = (int) (complete - told);
        told = complete;
        owner.completed(news, last.getOpaque());
      }
      if (failed != null) {
        fail(failed);
      } else if (run == this && mayGoOn()) {
        // The job is over but for its return; the next one queues behind it.
        give();
      }
      if (held.compareAndSet(true, false)) {
        owner.interrupt();
      }
    }

    private boolean mayGoOn() {
      return told == limit && valid != limit && pace.get() == Pace.GOING && !leaves;
    }

    private void fail(F failed) {
      stop();
      owner.failed(failed);
    }

    /** The work has thrown, or the owner when it was told. */
    private void threw(Throwable cause) {
      try {
        tell();
      } finally {
        // Unless that has said so. A job that had handed over to the next one has not, and may have
        // failed to interrupt.
        if (run == this) {
          fail(handler.broken());
        }
      }
    }

    // The engine's thread, or the function's.

    @Override
    public void run(Job job) throws JobEndedException {
      try {
        runAll(job, false);
      } finally {
        away = false;
      }
      // What became valid too late to be seen when the last one was complete is seen here: who says
      // that more is valid looks at what is finished afterwards, and this the other way round.
      VarHandle.fullFence();
      if (valid != finished.getPlain()) {
        job.update(tell);
      }
    }

    /**
     * Carries out what is given.
     *
     * @param aTurn whether not for longer than a turn
     * @return whether any are left for want of time
     */
    private boolean runAll(Job job, boolean aTurn) throws JobEndedException {
      try {
        return failure == null && carryOut(job, aTurn);
      } catch (RuntimeException | Error e) {
        // For whoever looks before the host has told.
        failure = handler.broken();
        throw e;
      }
    }

    private boolean carryOut(Job job, boolean aTurn) throws JobEndedException {
      dma = job.dma();
      long begin = 0;
      long end = limit;
      long at = finished.getPlain();
      // A few are no reason to look at the clock.
      long unmeasured = at + MOST_FETCHED;
      while (at != end) {
        if (pace.get() == Pace.STOPPING && pace.compareAndSet(Pace.STOPPING, Pace.STOPPED)) {
          return false;
        }
        if (nextInBatch == batch) {
          if (aTurn && at - unmeasured >= 0) {
            long now = System.nanoTime();
            begin = begin == 0 ? now : begin;
            if (now - begin > TURN_NANOS) {
              return true;
            }
          }
          nextInBatch = 0;
          batch = 0;
          batch = fetch(job, (int) (end - at));
          if (batch == 0) {
            return false;
          }
        }
        if (!runOne(job, nextInBatch)) {
          return false;
        }
        nextInBatch++;
        at++;
      }
      return false;
    }

    /** Returns how many were fetched; 0 if none could be, which is told. */
    private int fetch(Job job, int most) throws JobEndedException {
      F failed;
      try {
        return source.fetch(dma, fetched, most);
      } catch (DmaFaultException fault) {
        failed = handler.unreadable(dma, fault);
      } catch (BadLinkException link) {
        failed = handler.unlinked(dma, link);
      }
      stopAt(job, failed);
      return 0;
    }

    private boolean runOne(Job job, int index) throws JobEndedException {
      long iova = source.iova(index);
      F failed = complete(execute(index, iova));
      if (failed != null) {
        stopAt(job, failed);
        return false;
      }
      last.setOpaque(iova);
      // One whose completion is written must count even if the job has ended: it would run again
      // after its driver has seen it done and has given its buffers to something else.
      finished.setRelease(finished.getPlain() + 1);
      if (handler.interrupts()) {
        signal(job);
      }
      return true;
    }

    // As a guard makes attempts, but without an object for each that is called through an
    // interface: a
    // short descriptor would cost more for that.

    private F execute(int index, long iova) throws JobEndedException {
      long offset = (long) index * fetched.descriptorBytes();
      try {
        return handler.execute(dma, fetched.memory(), offset, iova);
      } catch (DmaFaultException | RuntimeException | Error e) {
        return guard.of(e);
      }
    }

    /**
     * Returns what the descriptor failed of: not that this could not be written, if it did before.
     */
    private F complete(F failed) throws JobEndedException {
      try {
        handler.complete(dma, failed);
        return failed;
      } catch (DmaFaultException | RuntimeException | Error e) {
        F unwritten = guard.of(e);
        return failed == null ? unwritten : failed;
      }
    }

    private void signal(Job job) throws JobEndedException {
      int vector = owner.vector();
      boolean signalled;
      try {
        signalled = vector >= 0 && job.signal(vector);
      } catch (JobEndedException ended) {
        held.set(true);
        throw ended;
      }
      // One update tells of all that are held until it has its turn.
      if (!signalled && !held.getAndSet(true)) {
        job.update(tell);
      }
    }

    private void stopAt(Job job, F failed) throws JobEndedException {
      failure = failed;
      job.update(tell);
    }
  }
}
