package dev.peerbar.driver.fake;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Migratable;
import dev.peerbar.endpoint.MustWaitException;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A host in one thread, in which nothing happens by itself: jobs run and updates take their turn
 * when a test says so, and time passes when it says so. Client memory is a map of segments by IOVA.
 * Vectors are told as the endpoint names them, whichever mechanism a driver has enabled, or none.
 *
 * <p>It may poll. Then it looks for work where it would run a job, too: nothing that a driver does
 * can happen amid that work, which is on the thread that registers are accessed on. Where a test
 * does something amid a job, {@link #mustWait} or {@link #mapByMessages} have polled work leave
 * what it was about to do to a job of its engine.
 */
public final class FakeHost implements Host {
  /** The most bytes of a call of polled work. */
  private static final long MOST_IN_PLACE = 128 << 10;

  /** What never rests has no end. */
  private static final int MOST_LOOKS = 10_000_000;

  private final Endpoint endpoint;
  private final Engine.Polling polling;
  private final Map<Integer, MemorySegment> memory = new HashMap<>();
  private final FakeMemory client = new FakeMemory();
  private final Deque<FakeJob> jobs = new ArrayDeque<>();
  private final Deque<Runnable> updates = new ArrayDeque<>();
  private final List<FakeJob> allJobs = new ArrayList<>();
  private final List<PolledWork> polled = new ArrayList<>();
  private final List<Integer> raised = new ArrayList<>();
  private final Map<Integer, Long> signals = new HashMap<>();
  private final List<String> journal = new ArrayList<>();
  private final FakeTimers timers = new FakeTimers();
  private boolean tellable = true;
  private boolean held;
  private Runnable beforeTransfer = () -> {};
  private Runnable meanwhile = () -> {};
  private Runnable beforeSignal = () -> {};
  private Runnable atRaise = () -> {};

  private record PolledWork(FakeJob job, Engine.Polled work) {}

  /** Starts the endpoint, and never polls. */
  public FakeHost(Endpoint endpoint) {
    this(endpoint, Engine.Polling.NEVER);
  }

  /** Starts the endpoint. */
  public FakeHost(Endpoint endpoint, Engine.Polling polling) {
    this.endpoint = endpoint;
    this.polling = polling;
    PciFunction function = endpoint.function();
    for (Bar bar : function.bars()) {
      switch (bar) {
        case Bar.Memory declared -> memory.put(declared.index(), allocate(declared.size()));
        case Bar.Registers declared ->
            declared
                .mapped()
                .ifPresent(_ -> memory.put(declared.index(), allocate(declared.size())));
        case Bar.Msix _ -> {}
      }
    }
    endpoint.start(this);
  }

  public Endpoint endpoint() {
    return endpoint;
  }

  public static MemorySegment allocate(long bytes) {
    return Arena.ofAuto().allocate(bytes, Long.BYTES);
  }

  // What a test does.

  public MemorySegment map(long iova, long bytes) {
    return map(iova, bytes, true, true);
  }

  public MemorySegment map(long iova, long bytes, boolean readable, boolean writable) {
    MemorySegment segment = allocate(bytes);
    client.map(iova, segment, readable, writable);
    return segment;
  }

  /** Memory that can be reached by messages only, for whose answers polled work must not wait. */
  public MemorySegment mapByMessages(long iova, long bytes) {
    byMessages(iova, bytes);
    return map(iova, bytes);
  }

  /** A part of memory can be reached by messages only from now on, its content as it was. */
  public void byMessages(long iova, long bytes) {
    client.byMessages(iova, bytes);
  }

  /** What {@link #byMessages} was said of can be reached in place. */
  public void inPlace(long iova) {
    client.inPlace(iova);
  }

  /** Whether nothing can be moved without waiting. */
  public void mustWait(boolean on) {
    client.mustWait(on);
  }

  public void unmap(long iova) {
    client.unmap(iova);
  }

  public void busMaster(boolean enabled) {
    client.busMaster(enabled);
  }

  /** Whether something holds interrupts back, so that engines cannot signal them. */
  public void holdInterrupts(boolean on) {
    held = on;
  }

  /** Called at the beginning of every transfer, within the job. */
  public void beforeTransfer(Runnable action) {
    beforeTransfer = action;
  }

  /**
   * Called at the beginning of every transfer that is not polled work's, within the job: what the
   * function's thread does meanwhile.
   */
  public void meanwhile(Runnable action) {
    meanwhile = action;
  }

  /** Called when an engine is about to signal a vector, within the job. */
  public void beforeSignal(Runnable action) {
    beforeSignal = action;
  }

  /** Called when a vector is raised: what a driver sees in its interrupt handler. */
  public void atRaise(Runnable action) {
    atRaise = action;
  }

  /**
   * Runs the oldest job to its end; its updates stay queued. If there is none, and this host polls,
   * what is polled is done first.
   */
  public void runJob() {
    if (jobs.isEmpty() && polls()) {
      poll();
      if (jobs.isEmpty()) {
        return;
      }
    }
    FakeJob job = jobs.removeFirst();
    try {
      if (!job.ended) {
        job.work.run(job);
      }
    } catch (JobEndedException _) {
      journal.add("ended");
    } catch (RuntimeException | Error e) {
      job.threw(e);
    }
  }

  private boolean polls() {
    return polling != Engine.Polling.NEVER;
  }

  /** Has all polled work done that there is. Updates stay queued. */
  public void poll() {
    for (int looks = 0; look(); looks++) {
      if (looks == MOST_LOOKS) {
        throw new IllegalStateException("polled work without an end");
      }
    }
  }

  /** Has a piece done of each polled work. Returns whether there was any. */
  public boolean look() {
    boolean any = false;
    // A copy: they end each other, and begin others.
    for (PolledWork each : List.copyOf(polled)) {
      any |= ask(each, each.work::poll, false);
    }
    return any;
  }

  /** Says that nothing is looked for until something happens. Returns false if there is work. */
  public boolean rest() {
    for (PolledWork each : List.copyOf(polled)) {
      if (!ask(each, each.work::rest, true)) {
        return false;
      }
    }
    return true;
  }

  private interface Question {
    boolean ask(Job job) throws JobEndedException;
  }

  private boolean ask(PolledWork each, Question question, boolean ifEnded) {
    if (each.job.ended) {
      return ifEnded;
    }
    try {
      return question.ask(each.job);
    } catch (MustWaitException e) {
      threw(each, new IllegalStateException("polled work was not handed over", e));
    } catch (JobEndedException _) {
      journal.add("ended");
    } catch (RuntimeException | Error e) {
      threw(each, e);
    }
    return !ifEnded;
  }

  private void threw(PolledWork each, Throwable cause) {
    polled.remove(each);
    each.job.threw(cause);
  }

  public void runUpdates() {
    while (!updates.isEmpty()) {
      updates.removeFirst().run();
    }
  }

  /** Runs jobs and updates, and has polled work done, until there are none and that may rest. */
  public void settle() {
    // Something happened on the function's thread, or this would not be called.
    wake();
    settleUnasked();
  }

  /**
   * As {@link #settle}, if nothing has happened on the function's thread since polled work was told
   * to rest: it is looked for once an update brings that thread something to do.
   */
  public void settleUnasked() {
    while (!jobs.isEmpty() || !updates.isEmpty()) {
      if (updates.isEmpty()) {
        runJob();
      }
      if (!updates.isEmpty()) {
        wake();
      }
    }
  }

  /** Something has happened on the function's thread: runs updates, and looks for polled work. */
  public void wake() {
    runUpdates();
    for (int looks = 0; look() || !rest(); looks++) {
      if (looks == MOST_LOOKS) {
        throw new IllegalStateException("polled work without an end");
      }
      runUpdates();
    }
  }

  /**
   * Lets time pass: what timers are armed for by then happens, each at its time, and what that arms
   * too. Jobs and updates stay where they are.
   */
  public void advance(Duration time) {
    timers.advance(time);
  }

  /** Timers that are armed. */
  public long timersArmed() {
    return timers.armed();
  }

  /** Whether the client wants to be told of errors and requests. */
  public void tellable(boolean on) {
    tellable = on;
  }

  /** What a host does for a reset. */
  public void reset(ResetKind kind) {
    endJobs();
    endpoint.function().reset(kind);
    for (Bar bar : endpoint.function().bars()) {
      if (bar instanceof Bar.Registers registers && registers.mapped().isPresent()) {
        memory(registers.index()).fill((byte) 0);
      }
    }
    endpoint.reset(kind);
  }

  /** What a host does before a migration; the endpoint is {@link Migratable}. */
  public void pause() {
    endJobs();
    ((Migratable) endpoint).pause();
  }

  /** Ends every job where it is, and cancels timers, as {@link #pause} does first. */
  public void endJobs() {
    allJobs.forEach(FakeJob::end);
    polled.clear();
    timers.cancelAll();
  }

  public int jobsWaiting() {
    return jobs.size();
  }

  public int updatesWaiting() {
    return updates.size();
  }

  /**
   * How often a vector was raised while MSI-X was enabled, since this was last asked; 0 while the
   * function is masked, which holds the answer back.
   */
  public long takeSignals(int vector) {
    if (endpoint.function().msixMasked()) {
      return 0;
    }
    Long count = signals.remove(vector);
    return count == null ? 0 : count;
  }

  /** Vectors raised, in order. */
  public List<Integer> raised() {
    return raised;
  }

  /** Writes of client memory ("write IOVA+length"), interrupts ("raise n") and more, in order. */
  public List<String> journal() {
    return journal;
  }

  // What the endpoint is given.

  @Override
  public Interrupts interrupts() {
    return new Interrupts() {
      @Override
      public void raise(int vector) {
        raised.add(vector);
        journal.add("raise " + vector);
        if (endpoint.function().msixEnabled()) {
          signals.merge(vector, 1L, Long::sum);
        }
        atRaise.run();
      }

      @Override
      public void pin(boolean asserted) {
        journal.add("pin " + asserted);
      }

      @Override
      public boolean error() {
        return tell("error");
      }

      @Override
      public boolean requestRelease() {
        return tell("request release");
      }

      private boolean tell(String what) {
        if (tellable) {
          journal.add(what);
        }
        return tellable;
      }
    };
  }

  @Override
  public MemorySegment memory(int bar) {
    return memory.get(bar);
  }

  @Override
  public Engine engine(String name) {
    return new Engine() {
      @Override
      public Ticket submit(Work work, Consumer<Throwable> failed) {
        FakeJob job = new FakeJob(work, failed);
        jobs.add(job);
        allJobs.add(job);
        return job;
      }

      @Override
      public Polling polling() {
        return polling;
      }

      @Override
      public Ticket poll(Polled work, Consumer<Throwable> failed) {
        if (!polls()) {
          return Engine.super.poll(work, failed);
        }
        FakeJob job = new FakeJob(null, failed);
        polled.add(new PolledWork(job, work));
        allJobs.add(job);
        return job;
      }
    };
  }

  @Override
  public Timer timer(Runnable action, Consumer<Throwable> failed) {
    return timers.add(
        action,
        cause -> {
          journal.add("threw " + cause);
          failed.accept(cause);
        });
  }

  @Override
  public void clearDoorbell(int bar, long offset) {
    journal.add("clear doorbell %d 0x%x".formatted(bar, offset));
    if (memory.containsKey(bar)) {
      memory.get(bar).set(ValueLayout.JAVA_INT, offset, 0);
    }
  }

  private final class FakeJob implements Job, Dma, Engine.Ticket {
    private final Engine.Work work;
    private final Consumer<Throwable> failed;
    private boolean ended;
    private boolean told;

    /**
     * @param work null if it is polled
     */
    FakeJob(Engine.Work work, Consumer<Throwable> failed) {
      this.work = work;
      this.failed = failed;
    }

    /** The work threw, or one of its updates: the endpoint is told in its turn, once. */
    private void threw(Throwable cause) {
      journal.add("threw " + cause);
      updates.add(() -> {
        if (!ended && !told) {
          told = true;
          failed.accept(cause);
        }
      });
    }

    private boolean inPlace() {
      return work == null;
    }

    @Override
    public void end() {
      ended = true;
      polled.removeIf(each -> each.job == this);
    }

    @Override
    public boolean ended() {
      return ended;
    }

    @Override
    public Dma dma() {
      return this;
    }

    @Override
    public void update(Runnable change) throws JobEndedException {
      checkAlive();
      updates.add(() -> {
        if (!ended) {
          try {
            change.run();
          } catch (RuntimeException | Error e) {
            threw(e);
          }
        }
      });
    }

    @Override
    public void raise(int vector) throws JobEndedException {
      if (!inPlace()) {
        update(() -> interrupts().raise(vector));
      } else if (!signal(vector)) {
        interrupts().raise(vector);
      }
    }

    @Override
    public boolean signal(int vector) throws JobEndedException {
      beforeSignal.run();
      checkAlive();
      if (held) {
        return false;
      }
      interrupts().raise(vector);
      return true;
    }

    @Override
    public void read(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
      begin(into.byteSize());
      for (long done = 0; done < into.byteSize(); ) {
        MemorySegment from = find(DmaFaultException.Access.READ, iova + done, done);
        long bytes = Math.min(from.byteSize(), into.byteSize() - done);
        MemorySegment.copy(from, 0, into, done, bytes);
        done += bytes;
      }
    }

    @Override
    public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
      begin(from.byteSize());
      for (long done = 0; done < from.byteSize(); ) {
        MemorySegment into = find(DmaFaultException.Access.WRITE, iova + done, done);
        long bytes = Math.min(into.byteSize(), from.byteSize() - done);
        MemorySegment.copy(from, done, into, 0, bytes);
        done += bytes;
      }
      journal.add("write 0x%x+%d".formatted(iova, from.byteSize()));
    }

    @Override
    public void copy(long fromIova, long toIova, long length)
        throws DmaFaultException, JobEndedException {
      begin(length);
      for (long done = 0; done < length; ) {
        MemorySegment from = find(DmaFaultException.Access.READ, fromIova + done, done);
        MemorySegment into = find(DmaFaultException.Access.WRITE, toIova + done, done);
        long bytes = Math.min(length - done, Math.min(from.byteSize(), into.byteSize()));
        MemorySegment.copy(from, 0, into, 0, bytes);
        done += bytes;
      }
    }

    @Override
    public void local(MemorySegment from, MemorySegment to) throws JobEndedException {
      judge(from.byteSize());
      tell();
      checkAlive();
      MemorySegment.copy(from, 0, to, 0, from.byteSize());
    }

    @Override
    public boolean mayWait(long iova, long length) {
      return client.mayWait(iova, length);
    }

    @Override
    public void takesLong() throws JobEndedException {
      if (inPlace()) {
        throw MustWaitException.INSTANCE;
      }
    }

    private void begin(long bytes) throws JobEndedException {
      judge(bytes);
      if (inPlace() && client.mustWait()) {
        throw MustWaitException.INSTANCE;
      }
      tell();
      checkAlive();
    }

    private void tell() {
      beforeTransfer.run();
      if (!inPlace()) {
        meanwhile.run();
      }
    }

    private void judge(long bytes) throws JobEndedException {
      if (inPlace() && bytes > MOST_IN_PLACE) {
        throw MustWaitException.INSTANCE;
      }
    }

    private void checkAlive() throws JobEndedException {
      if (ended) {
        throw new JobEndedException();
      }
    }

    private MemorySegment find(DmaFaultException.Access access, long iova, long done)
        throws DmaFaultException, JobEndedException {
      return client.find(access, iova, done, inPlace());
    }
  }
}
