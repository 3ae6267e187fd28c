package dev.peerbar.devices.nvme.drive;

import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/**
 * A host with real threads: one of the function, one of each engine. Register writes are posted, in
 * order; reads wait for them.
 */
public final class ThreadedMachine implements Machine, Host, AutoCloseable {
  private static final int MSIX_CAPABILITY = 0x11;
  private static final int FIRST_CAPABILITY = 0x34;
  private static final long LONGEST_SECONDS = 60;

  private record Mapping(long iova, MemorySegment bytes) {}

  private final NvmeEndpoint endpoint;
  private final ExecutorService functionThread = Executors.newSingleThreadExecutor();
  private final List<ExecutorService> engines = new CopyOnWriteArrayList<>();
  private final List<FakeJob> jobs = new CopyOnWriteArrayList<>();
  private final List<Mapping> mappings = new CopyOnWriteArrayList<>();
  private final MemorySegment cmb = Arena.ofAuto().allocate(1 << 20, 4096);
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();
  private final AtomicLong interrupts = new AtomicLong();
  private final List<Throwable> failures = new CopyOnWriteArrayList<>();
  private volatile boolean pin;
  private final List<Thread> engineThreads = new CopyOnWriteArrayList<>();
  private volatile LongConsumer beforeWrite = _ -> {};
  private volatile LongConsumer beforeRead = _ -> {};
  private final Set<Long> lent = ConcurrentHashMap.newKeySet();

  public ThreadedMachine(NvmeEndpoint endpoint) {
    this.endpoint = endpoint;
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

  public ThreadedMachine enableMsix() {
    inFunction(() -> {
      PciFunction function = endpoint.function();
      int at = config(function, FIRST_CAPABILITY);
      while (config(function, at) != MSIX_CAPABILITY) {
        at = config(function, at + 1);
      }
      ByteBuffer control = ByteBuffer.allocate(2).order(ByteOrder.LITTLE_ENDIAN);
      function.writeConfig(at + 2, control.putShort(0, (short) 0x8000), NO_EVENTS);
      return null;
    });
    return this;
  }

  private static int config(PciFunction function, int offset) {
    ByteBuffer into = ByteBuffer.allocate(1);
    function.readConfig(offset, into);
    return into.get(0) & 0xff;
  }

  private static final PciFunction.Events NO_EVENTS =
      new PciFunction.Events() {
        @Override
        public void functionLevelReset() {}

        @Override
        public void d3hotToD0() {}

        @Override
        public void busMasterChanged(boolean enabled) {}

        @Override
        public void memorySpaceChanged(boolean enabled) {}

        @Override
        public void msixChanged() {}

        @Override
        public void intxChanged() {}
      };

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

  // What a driver does.

  @Override
  public int read4(long offset) {
    return inFunction(() -> (int) endpoint.read(NvmeRegisters.BAR, offset, AccessWidth.DWORD));
  }

  @Override
  public void write4(long offset, int value) {
    post(() ->
        endpoint.write(
            NvmeRegisters.BAR, offset, AccessWidth.DWORD, Integer.toUnsignedLong(value)));
  }

  @Override
  public void write8(long offset, long value) {
    post(() -> endpoint.write(NvmeRegisters.BAR, offset, AccessWidth.QWORD, value));
  }

  @Override
  public MemorySegment map(long iova, long bytes) {
    MemorySegment segment = Arena.ofAuto().allocate(bytes, 4096);
    mappings.add(new Mapping(iova, segment));
    return segment;
  }

  @Override
  public MemorySegment controllerMemory() {
    return cmb;
  }

  @Override
  public void pass() {
    Thread.onSpinWait();
  }

  @Override
  public void reset(ResetKind kind) {
    inFunction(() -> {
      jobs.forEach(job -> job.ended = true);
      jobs.clear();
      drain();
      endpoint.function().reset(kind);
      endpoint.reset(kind);
      return null;
    });
  }

  @Override
  public void close() {
    reset(ResetKind.BUS_OR_DEVICE);
    engines.forEach(ExecutorService::shutdownNow);
    functionThread.shutdown();
  }

  // What the endpoint is given.

  @Override
  public Interrupts interrupts() {
    return new Interrupts() {
      @Override
      public void raise(int vector) {
        interrupts.incrementAndGet();
      }

      @Override
      public void pin(boolean asserted) {
        pin = asserted;
      }
    };
  }

  @Override
  public MemorySegment memory(int bar) {
    return cmb;
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
    return (work, failed) -> {
      FakeJob job = new FakeJob(failed);
      jobs.add(job);
      thread.execute(() -> job.run(work));
      return job;
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
    private volatile boolean ended;

    FakeJob(Consumer<Throwable> failed) {
      this.failed = failed;
    }

    void run(Engine.Work work) {
      try {
        check();
        work.run(this);
      } catch (JobEndedException _) {
        // As it is meant to be.
      } catch (RuntimeException | Error e) {
        failures.add(e);
        post(() -> {
          if (!ended) {
            failed.accept(e);
          }
        });
      }
      functionThread.execute(() -> jobs.remove(this));
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
        interrupts.incrementAndGet();
        return true;
      } finally {
        gate.readLock().unlock();
      }
    }

    @Override
    public void read(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
      beforeRead.accept(iova);
      lent.add(into.address());
      step(() -> copy(find(DmaFaultException.Access.READ, iova, into.byteSize()), into));
    }

    @Override
    public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
      beforeWrite.accept(iova);
      lent.add(from.address());
      step(() -> copy(from, find(DmaFaultException.Access.WRITE, iova, from.byteSize())));
    }

    @Override
    public void copy(long fromIova, long toIova, long length)
        throws DmaFaultException, JobEndedException {
      step(() ->
          copy(
              find(DmaFaultException.Access.READ, fromIova, length),
              find(DmaFaultException.Access.WRITE, toIova, length)));
    }

    @Override
    public void local(MemorySegment from, MemorySegment to) throws JobEndedException {
      gate.readLock().lock();
      try {
        check();
        copy(from, to);
      } finally {
        gate.readLock().unlock();
      }
    }

    private interface Step {
      void run() throws DmaFaultException;
    }

    private void step(Step step) throws DmaFaultException, JobEndedException {
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
