package dev.peerbar.driver.fake;

import dev.peerbar.driver.Config;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.driver.Memory;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.LongPredicate;
import java.util.stream.IntStream;

/**
 * An endpoint as its driver has it, on real threads: one of the function, one of each engine.
 * Register writes are posted, in order; reads wait for them. Its mastering of the bus is not asked
 * for. It may poll on the function's thread: until there has been nothing for a while, or only
 * after what else happens there.
 *
 * <p>For tests of what meets what; accesses of registers may come from any thread.
 */
public final class ThreadedDevice implements Device, Host {
  private static final long PAGE = 4096;
  private static final long FIRST_IOVA = 1L << 32;
  private static final long LONGEST_SECONDS = 60;

  /** The most bytes of a call of polled work. */
  private static final long MOST_IN_PLACE = 128 << 10;

  /** How long it is looked in vain for polled work. */
  private static final long LOOK_NANOS = 100_000;

  /** How often it is looked before the function's thread does anything else. */
  private static final int TURNS = 4;

  private record Mapping(long iova, MemorySegment bytes) {}

  private record PolledWork(FakeJob job, Engine.Polled work) {}

  private final Endpoint endpoint;
  private final Engine.Polling polling;
  private final Map<Integer, MemorySegment> memory = new HashMap<>();
  private final Map<Integer, Memory> bars = new ConcurrentHashMap<>();
  private final Map<Integer, Semaphore> vectors = new ConcurrentHashMap<>();
  private final AtomicLong nextIova = new AtomicLong(FIRST_IOVA);
  private final ExecutorService functionThread;
  private final List<ExecutorService> engines = new CopyOnWriteArrayList<>();
  private final List<FakeJob> jobs = new CopyOnWriteArrayList<>();
  private final List<Mapping> mappings = new CopyOnWriteArrayList<>();
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();
  private final AtomicLong interrupts = new AtomicLong();
  private final List<Throwable> failures = new CopyOnWriteArrayList<>();
  private volatile boolean pin;
  private final List<Thread> engineThreads = new CopyOnWriteArrayList<>();
  private volatile LongConsumer beforeWrite = _ -> {};
  private volatile LongConsumer beforeRead = _ -> {};
  private volatile LongPredicate byMessages = _ -> false;
  private final Set<Long> lent = ConcurrentHashMap.newKeySet();

  // For the function's thread.
  private final List<PolledWork> polled = new ArrayList<>();
  private final Runnable look = this::lookForWork;
  private boolean looks;
  private long lastFind;

  /** Starts the endpoint. */
  public ThreadedDevice(Endpoint endpoint, Engine.Polling polling) {
    this.endpoint = endpoint;
    this.polling = polling;
    functionThread = new FunctionThread();
    for (Bar bar : endpoint.function().bars()) {
      if (bar instanceof Bar.Memory) {
        memory.put(bar.index(), Arena.ofAuto().allocate(bar.size(), PAGE));
      }
    }
    inFunction(() -> {
      endpoint.start(this);
      return null;
    });
  }

  /** Failures of anything that the endpoint ran. */
  public List<Throwable> failures() {
    return failures;
  }

  /** Vectors raised. */
  public long raised() {
    return interrupts.get();
  }

  /** Called on the engine's thread before it writes client memory, with the IOVA. */
  public void beforeWrite(LongConsumer newBeforeWrite) {
    beforeWrite = newBeforeWrite;
  }

  /** Called on the engine's thread before it reads client memory, with the IOVA. */
  public void beforeRead(LongConsumer newBeforeRead) {
    beforeRead = newBeforeRead;
  }

  /** Which memory polled work must leave alone from now on, by IOVA. */
  public void byMessages(LongPredicate newByMessages) {
    inFunction(() -> byMessages = newByMessages);
  }

  /** The addresses of all memory that the endpoint has lent to transfers. */
  public Set<Long> lent() {
    return lent;
  }

  /** The thread of an engine that has had a job. */
  public Thread engineThread(String name) {
    return engineThreads.stream()
        .filter(thread -> thread.getName().equals(name))
        .findFirst()
        .orElseThrow();
  }

  public boolean pinAsserted() {
    return pin;
  }

  private <T> T inFunction(Callable<T> call) {
    try {
      return functionThread.submit(call).get(LONGEST_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException | ExecutionException | TimeoutException e) {
      throw new AssertionError(e);
    }
  }

  private void post(Runnable change) {
    functionThread.execute(() -> {
      try {
        change.run();
      } catch (RuntimeException | Error e) {
        failures.add(e);
      }
    });
  }

  // What is polled.

  /** Looks for polled work after whatever it has run. */
  private final class FunctionThread extends ThreadPoolExecutor {
    FunctionThread() {
      super(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
    }

    @Override
    protected void afterExecute(Runnable task, Throwable thrown) {
      if (task != look && !looks && !polled.isEmpty()) {
        lastFind = System.nanoTime();
        lookForWork();
      }
    }
  }

  /** Looks a few times, and again after what else there is to do, unless nothing may come. */
  private void lookForWork() {
    looks = false;
    for (int turn = 0; turn < TURNS; turn++) {
      boolean found = false;
      for (PolledWork each : List.copyOf(polled)) {
        found |= ask(each, each.work::poll, false);
      }
      if (found) {
        lastFind = System.nanoTime();
      } else if (polling == Engine.Polling.BRIEFLY || System.nanoTime() - lastFind > LOOK_NANOS) {
        boolean rests = true;
        for (PolledWork each : List.copyOf(polled)) {
          rests &= ask(each, each.work::rest, true);
        }
        if (rests) {
          return;
        }
      }
    }
    try {
      looks = true;
      functionThread.execute(look);
    } catch (RejectedExecutionException _) {
      // It is closed, and nothing is done any more.
    }
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
      // As it is meant to be.
    } catch (RuntimeException | Error e) {
      threw(each, e);
    }
    return !ifEnded;
  }

  private void threw(PolledWork each, Throwable cause) {
    polled.remove(each);
    each.job.threw(cause);
  }

  // What a driver does.

  @Override
  public long readConfig(int offset, AccessWidth width) {
    return inFunction(() -> {
      ByteBuffer value = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      endpoint.function().readConfig(offset, value.slice(0, width.bytes()));
      return value.getLong(0);
    });
  }

  @Override
  public void writeConfig(int offset, AccessWidth width, long value) {
    inFunction(() -> {
      ByteBuffer bytes =
          ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(0, value);
      endpoint.function().writeConfig(offset, bytes.slice(0, width.bytes()), new Events());
      return null;
    });
  }

  private final class Events implements PciFunction.Events {
    @Override
    public void functionLevelReset() {
      resetNow(ResetKind.FUNCTION_LEVEL);
    }

    @Override
    public void d3hotToD0() {
      resetNow(ResetKind.D3HOT_TO_D0);
    }

    @Override
    public void busMasterChanged(boolean enabled) {
      endpoint.busMasterChanged(enabled);
    }

    @Override
    public void memorySpaceChanged(boolean enabled) {
      endpoint.memorySpaceChanged(enabled);
    }

    @Override
    public void msixChanged() {}

    @Override
    public void intxChanged() {}
  }

  @Override
  public Memory bar(int index) {
    return bars.computeIfAbsent(
        index,
        _ ->
            memory.containsKey(index)
                ? new SegmentMemory(memory.get(index))
                : new RegisterBar(index, endpoint.function().bar(index).orElseThrow().size()));
  }

  private final class RegisterBar extends AccessedMemory {
    private final int index;

    RegisterBar(int index, long length) {
      super(length);
      this.index = index;
    }

    @Override
    public long load(long offset, AccessWidth width) {
      return inFunction(() -> endpoint.read(index, offset, width));
    }

    @Override
    public void store(long offset, AccessWidth width, long value) {
      post(() -> endpoint.write(index, offset, width, AccessedMemory.zeroExtended(value, width)));
    }
  }

  @Override
  public DmaRange allocate(long length) {
    long pages = (length + PAGE - 1) / PAGE * PAGE;
    return allocate(nextIova.getAndAdd(pages + PAGE), pages);
  }

  @Override
  public DmaRange allocate(long iova, long length) {
    MemorySegment segment = Arena.ofAuto().allocate((length + PAGE - 1) / PAGE * PAGE, PAGE);
    mappings.add(new Mapping(iova, segment));
    return DmaRange.of(new SegmentMemory(segment), iova);
  }

  @Override
  public void unmap(DmaRange range) {
    mappings.removeIf(mapping -> mapping.iova == range.iova());
    drain();
  }

  @Override
  public List<Interrupt> enableMsix(int count) throws IOException {
    Config config = new Config(this);
    int control = config.capability(Msix.ID) + Msix.MESSAGE_CONTROL;
    config.word(control, config.word(control) & ~Msix.FUNCTION_MASK | Msix.ENABLE);
    return IntStream.range(0, count).<Interrupt>mapToObj(this::vector).toList();
  }

  private Interrupt vector(int index) {
    Semaphore signals = vectors.computeIfAbsent(index, _ -> new Semaphore(0));
    return new Interrupt() {
      @Override
      public long await(Duration limit) throws IOException {
        try {
          boolean signalled = signals.tryAcquire(limit.toNanos(), TimeUnit.NANOSECONDS);
          return signalled ? 1 + drain() : 0;
        } catch (InterruptedException e) {
          throw new IOException(e);
        }
      }

      @Override
      public long drain() {
        return signals.drainPermits();
      }
    };
  }

  private void signalled(int vector) {
    interrupts.incrementAndGet();
    vectors.computeIfAbsent(vector, _ -> new Semaphore(0)).release();
  }

  /** Leaves the processor to whoever has to do what is waited for: there may be one for all. */
  @Override
  public void relax() {
    Thread.yield();
  }

  @Override
  public void reset() throws IOException {
    new Config(this).functionLevelReset();
  }

  public void reset(ResetKind kind) {
    inFunction(() -> {
      resetNow(kind);
      return null;
    });
  }

  private void resetNow(ResetKind kind) {
    jobs.forEach(job -> job.ended = true);
    jobs.clear();
    polled.clear();
    drain();
    endpoint.function().reset(kind);
    endpoint.reset(kind);
  }

  /** When it returns the engines have left what they did: it says all its failures by then. */
  @Override
  public void close() {
    reset(ResetKind.BUS_OR_DEVICE);
    engines.forEach(ExecutorService::shutdown);
    try {
      for (ExecutorService engine : engines) {
        if (!engine.awaitTermination(LONGEST_SECONDS, TimeUnit.SECONDS)) {
          engine.shutdownNow();
          failures.add(new AssertionError("An engine does not end."));
        }
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    } finally {
      // After the engines, which have it do something to the last.
      functionThread.shutdown();
    }
  }

  // What the endpoint is given.

  @Override
  public Interrupts interrupts() {
    return new Interrupts() {
      @Override
      public void raise(int vector) {
        signalled(vector);
      }

      @Override
      public void pin(boolean asserted) {
        pin = asserted;
      }
    };
  }

  @Override
  public MemorySegment memory(int bar) {
    return memory.get(bar);
  }

  @Override
  public Engine engine(String name) {
    ExecutorService thread =
        Executors.newSingleThreadExecutor(work -> {
          Thread started = Thread.ofPlatform().daemon().name(name).unstarted(work);
          engineThreads.add(started);
          return started;
        });
    engines.add(thread);
    return new Engine() {
      @Override
      public Ticket submit(Work work, Consumer<Throwable> failed) {
        FakeJob job = new FakeJob(failed, false);
        jobs.add(job);
        thread.execute(() -> job.run(work));
        return job;
      }

      @Override
      public Polling polling() {
        return polling;
      }

      @Override
      public Ticket poll(Polled work, Consumer<Throwable> failed) {
        FakeJob job = new FakeJob(failed, true);
        jobs.add(job);
        polled.add(new PolledWork(job, work));
        return job;
      }
    };
  }

  @Override
  public Timer timer(Runnable action, Consumer<Throwable> failed) {
    throw new UnsupportedOperationException("An NVMe controller has no timer.");
  }

  @Override
  public void clearDoorbell(int bar, long offset) {}

  private void drain() {
    gate.writeLock().lock();
    gate.writeLock().unlock();
  }

  private final class FakeJob implements Job, Dma, Engine.Ticket {
    private final Consumer<Throwable> failed;
    private final boolean inPlace;
    private volatile boolean ended;

    FakeJob(Consumer<Throwable> failed, boolean inPlace) {
      this.failed = failed;
      this.inPlace = inPlace;
    }

    void run(Engine.Work work) {
      try {
        check();
        work.run(this);
      } catch (JobEndedException _) {
        // As it is meant to be.
      } catch (RuntimeException | Error e) {
        threw(e);
      }
      functionThread.execute(() -> jobs.remove(this));
    }

    private void threw(Throwable cause) {
      failures.add(cause);
      post(() -> {
        if (!ended) {
          failed.accept(cause);
        }
      });
    }

    private void check() throws JobEndedException {
      if (ended) {
        throw new JobEndedException();
      }
    }

    @Override
    public boolean ended() {
      return ended;
    }

    @Override
    public void end() {
      if (jobs.remove(this)) {
        ended = true;
        drain();
        if (inPlace) {
          polled.removeIf(each -> each.job == this);
        }
      }
    }

    @Override
    public Dma dma() {
      return this;
    }

    @Override
    public void update(Runnable change) throws JobEndedException {
      check();
      post(() -> {
        if (!ended) {
          change.run();
        }
      });
    }

    @Override
    public void raise(int vector) throws JobEndedException {
      signal(vector);
    }

    @Override
    public boolean signal(int vector) throws JobEndedException {
      gate.readLock().lock();
      try {
        check();
        signalled(vector);
        return true;
      } finally {
        gate.readLock().unlock();
      }
    }

    @Override
    public void read(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
      mayMove(iova, into.byteSize());
      beforeRead.accept(iova);
      lent.add(into.address());
      step(() -> copy(find(DmaFaultException.Access.READ, iova, into.byteSize()), into));
    }

    @Override
    public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
      mayMove(iova, from.byteSize());
      beforeWrite.accept(iova);
      lent.add(from.address());
      step(() -> copy(from, find(DmaFaultException.Access.WRITE, iova, from.byteSize())));
    }

    @Override
    public void copy(long fromIova, long toIova, long length)
        throws DmaFaultException, JobEndedException {
      mayMove(fromIova, length);
      mayMove(toIova, length);
      step(() ->
          copy(
              find(DmaFaultException.Access.READ, fromIova, length),
              find(DmaFaultException.Access.WRITE, toIova, length)));
    }

    @Override
    public void local(MemorySegment from, MemorySegment to) throws JobEndedException {
      if (inPlace && from.byteSize() > MOST_IN_PLACE) {
        throw MustWaitException.INSTANCE;
      }
      gate.readLock().lock();
      try {
        check();
        copy(from, to);
      } finally {
        gate.readLock().unlock();
      }
    }

    @Override
    public boolean mayWait(long iova, long length) {
      return byMessages.test(iova);
    }

    @Override
    public void takesLong() throws JobEndedException {
      if (inPlace) {
        throw MustWaitException.INSTANCE;
      }
    }

    private void mayMove(long iova, long length) throws JobEndedException {
      if (inPlace && (length > MOST_IN_PLACE || byMessages.test(iova))) {
        throw MustWaitException.INSTANCE;
      }
    }

    private interface Access {
      void run() throws DmaFaultException;
    }

    private void step(Access step) throws DmaFaultException, JobEndedException {
      gate.readLock().lock();
      try {
        check();
        step.run();
      } finally {
        gate.readLock().unlock();
      }
    }

    private static void copy(MemorySegment from, MemorySegment to) {
      if (from.byteSize() == Long.BYTES) {
        to.set(ValueLayout.JAVA_LONG, 0, from.get(ValueLayout.JAVA_LONG, 0));
      } else if (from.byteSize() == Integer.BYTES) {
        to.set(ValueLayout.JAVA_INT, 0, from.get(ValueLayout.JAVA_INT, 0));
      } else {
        to.copyFrom(from);
      }
    }

    private MemorySegment find(DmaFaultException.Access access, long iova, long length)
        throws DmaFaultException {
      for (Mapping mapping : mappings) {
        long offset = iova - mapping.iova;
        if (offset >= 0 && offset <= mapping.bytes.byteSize() - length) {
          return mapping.bytes.asSlice(offset, length);
        }
      }
      throw new DmaFaultException(access, DmaFaultException.Reason.UNMAPPED, iova, 0);
    }
  }
}
