package dev.peerbar.server.function;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Migratable;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.MsixTable;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.EngineName;
import dev.peerbar.server.events.RequestTrack;
import dev.peerbar.server.events.ResetEvent;
import dev.peerbar.server.fault.Faults;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Consumer;

/**
 * An endpoint and all that the server keeps for it: the host side of the endpoint interface. It
 * outlives its clients. For the function's thread, but for construction.
 */
public final class ServedFunction implements Host, PciFunction.Events, AutoCloseable {
  /** The regions of a vfio-pci function (linux/vfio.h): six BARs, ROM, config space, VGA. */
  public static final int REGION_COUNT = 9;

  /**
   * How long a job that has been ended may take to leave its work: between two steps it computes,
   * no more. Less than a client waits for a reply.
   */
  private static final long LONGEST_STOP_NANOS = 2_000_000_000;

  /** The region of config space (linux/vfio.h, VFIO_PCI_CONFIG_REGION_INDEX). */
  public static final int CONFIG_REGION = 7;

  private final String name;
  private final FunctionLog log;
  private final RequestTrack requests = new RequestTrack();
  private final Endpoint endpoint;
  private final ScheduledExecutorService scheduler;
  private final Executor functionThread;
  private final BusMaster bus;
  private final InterruptTable interrupts;
  private final Bars bars;
  private final Misbehaviour misbehaviour;
  // What the client meets: what is behind the function's BARs, and config space.
  private List<Region> regions;
  private final Map<String, SerialEngine> engines = new HashMap<>();
  private final EngineThreads engineThreads;
  private final PolledJobs polledJobs;
  private final FunctionPoller poller;
  private final List<FunctionTimer> timers = new ArrayList<>();
  private final Optional<Migration> migration;
  private final Map<Integer, IoEventFds> doorbellEvents = new HashMap<>();
  // Ends the connection of the client that is there.
  private volatile Runnable hangUp = () -> {};
  private volatile boolean mayFree;

  /**
   * @param name for logs and threads
   * @param functionThread runs what it is given on the function's thread, in order
   * @param maxDmaMaps mappings of a client that may live at the same time
   * @param alwaysPolled whether the function's thread runs {@link #poller} all the time; if not, it
   *     is where doorbells are mapped, after all that happens there
   * @throws LinuxException if the memory of a BAR cannot be had
   */
  public ServedFunction(
      String name,
      Endpoint endpoint,
      ScheduledExecutorService functionThread,
      int maxDmaMaps,
      boolean alwaysPolled)
      throws LinuxException {
    this.name = name;
    this.log = new FunctionLog(name);
    this.endpoint = endpoint;
    this.scheduler = functionThread;
    this.functionThread = work -> functionThread.execute(() -> doOrHangUp(work));
    this.bus = new BusMaster(this.functionThread, maxDmaMaps);
    PciFunction function = endpoint.function();
    Optional<MsixTable> msix = function.msix().map(MsixTable::new);
    this.interrupts = new InterruptTable(name, log, function, msix, bus.gate()::drain);
    try {
      this.engineThreads = EngineThreads.likeThis();
      this.bars = new Bars(name, endpoint, msix);
    } catch (LinuxException e) {
      interrupts.close();
      throw e;
    }
    this.polledJobs = new PolledJobs(polling(alwaysPolled, bars));
    this.poller =
        new FunctionPoller(List.copyOf(bars.doorbells().values()), polledJobs, this::failed);
    List<Region> all = new ArrayList<>(Collections.nCopies(REGION_COUNT, new EmptyRegion()));
    bars.regions().forEach(all::set);
    all.set(CONFIG_REGION, new ConfigRegion(function, this));
    this.regions = List.copyOf(all);
    this.misbehaviour = new Misbehaviour(this, regions, functionThread);
    this.migration =
        endpoint instanceof Migratable migratable
            ? Optional.of(migration(migratable, msix))
            : Optional.empty();
    endpoint.start(this);
  }

  private static Engine.Polling polling(boolean always, Bars bars) {
    if (always) {
      return Engine.Polling.ALWAYS;
    }
    return bars.doorbells().isEmpty() ? Engine.Polling.NEVER : Engine.Polling.BRIEFLY;
  }

  /** What the function's thread has to look for beside messages; empty if there is nothing. */
  public Optional<FunctionPoller> poller() {
    return polledJobs.polling() == Engine.Polling.NEVER ? Optional.empty() : Optional.of(poller);
  }

  private Migration migration(Migratable migratable, Optional<MsixTable> msix) {
    MigrationParts parts =
        new MigrationParts(migratable, msix, bars.doorbells(), bars.memoryBars(), this);
    return new Migration(
        log,
        parts,
        new Migration.Quiescer() {
          @Override
          public boolean pause() {
            boolean stopped = stopEngines();
            migratable.pause();
            interrupts.hold(true);
            return stopped;
          }

          @Override
          public void resume() {
            interrupts.hold(false);
            migratable.resume();
          }
        });
  }

  /** Ends all jobs and waits until they have left their work. Returns false if one does not. */
  private boolean stopEngines() {
    endWork();
    long deadline = System.nanoTime() + LONGEST_STOP_NANOS;
    boolean stopped = true;
    for (SerialEngine engine : engines.values()) {
      stopped &= engine.awaitIdle(deadline);
    }
    return stopped;
  }

  private void doOrHangUp(Runnable work) {
    try {
      work.run();
    } catch (RuntimeException | Error e) {
      failed(e);
    }
  }

  /**
   * Something failed that no request waits for, and that nobody foresaw. As with one that does, the
   * client is hung up on: it would go on with a device that has lost a part of what it was told.
   * For any thread.
   */
  void failed(Throwable cause) {
    try {
      log.failed("work of the endpoint failed", cause);
    } finally {
      hangUp.run();
    }
  }

  public String name() {
    return name;
  }

  /** For what clients do and bring about. */
  public FunctionLog log() {
    return log;
  }

  /** For recording what clients ask. */
  public RequestTrack requests() {
    return requests;
  }

  public PciFunction function() {
    return endpoint.function();
  }

  /** By vfio-pci index, {@link #REGION_COUNT} of them. */
  public List<Region> regions() {
    return regions;
  }

  public BusMaster bus() {
    return bus;
  }

  /** What it does wrong because it was told to. */
  public Faults faults() {
    return misbehaviour.faults();
  }

  /** Has the client meet other regions, as many as there are. */
  void show(List<Region> shown) {
    regions = shown;
  }

  /** Where it is in a migration; empty if it cannot be migrated. */
  public Optional<Migration> migration() {
    return migration;
  }

  @Override
  public InterruptTable interrupts() {
    return interrupts;
  }

  @Override
  public MemorySegment memory(int bar) {
    return bars.memory(bar).memory();
  }

  @Override
  public void zero(int bar) {
    bars.memory(bar).zero();
  }

  @Override
  public Engine engine(String engineName) {
    SerialEngine engine =
        new SerialEngine(
            new EngineName(name, engineName),
            bus,
            interrupts,
            functionThread,
            polledJobs,
            engineThreads);
    if (engines.putIfAbsent(engineName, engine) != null) {
      throw new IllegalArgumentException("two engines named " + engineName);
    }
    return engine;
  }

  @Override
  public Timer timer(Runnable action, Consumer<Throwable> failed) {
    FunctionTimer timer = new FunctionTimer(scheduler, action, cause -> timerFailed(failed, cause));
    timers.add(timer);
    return timer;
  }

  private void timerFailed(Consumer<Throwable> failed, Throwable cause) {
    log.failed("a timer's action failed", cause);
    doOrHangUp(() -> failed.accept(cause));
  }

  @Override
  public void clearDoorbell(int bar, long offset) {
    DoorbellPage page = bars.doorbells().get(bar);
    if (page != null) {
      page.clear(offset);
    }
  }

  @Override
  public void expectDoorbell(int bar, long offset) {
    DoorbellPage page = bars.doorbells().get(bar);
    if (page != null) {
      page.expect(offset);
    }
  }

  /**
   * The client's event descriptors for doorbells.
   *
   * @param doorbell which write one stands for
   * @param event stays the function's
   */
  public record BoundIoEventFd(Bar.IoEventFd doorbell, FileDescriptor event) {}

  /**
   * Event descriptors that the client may have signalled in place of writes to a BAR; the same ones
   * at each call until the client has gone.
   *
   * @param most how many the client takes
   * @return none if the BAR has no such doorbells
   * @throws LinuxException EMFILE, ENFILE, ENOSPC
   */
  public List<BoundIoEventFd> doorbellEvents(int bar, int most, EventWatcher watcher)
      throws LinuxException {
    Optional<Bar> declared = function().bar(bar);
    if (most == 0
        || !(declared.orElse(null) instanceof Bar.Registers registers)
        || registers.events().isEmpty()) {
      return List.of();
    }
    IoEventFds made = doorbellEvents.get(bar);
    if (made == null) {
      made = new IoEventFds(endpoint, registers, most, watcher);
      doorbellEvents.put(bar, made);
    }
    List<BoundIoEventFd> all = new ArrayList<>();
    for (int i = 0; i < made.doorbells().size(); i++) {
      all.add(new BoundIoEventFd(made.doorbells().get(i), made.events().get(i)));
    }
    return all;
  }

  /**
   * Does the writes that event descriptors have announced by now. To be called before a request
   * that the client waits for: whoever sent it, rang before.
   */
  public void ringDoorbells() {
    if (!doorbellEvents.isEmpty()) {
      doorbellEvents.values().forEach(IoEventFds::ring);
    }
  }

  /**
   * Resets the function. When this returns nothing of what it did before is issued any more: no
   * copy, no message, no interrupt; see {@link #endWork}.
   */
  public void reset(ResetKind kind) {
    log.info("reset, %s", kind);
    ResetEvent event = ResetEvent.start(name, kind);
    misbehaviour.resetBegins();
    int ended = endWork();
    endpoint.function().reset(kind);
    bus.enable(endpoint.function().busMasterEnabled() || misbehaviour.ignoresBusMaster());
    interrupts.reset();
    bars.clearDoorbells();
    doorbellEvents.values().forEach(IoEventFds::discard);
    endpoint.reset(kind);
    migration.ifPresent(Migration::reset);
    if (event != null) {
      event.finish(ended);
    }
  }

  /**
   * Ends every job, queued or running, and cancels every timer: when this returns nothing is copied
   * or sent any more, but for steps that {@link dev.peerbar.server.dma.SlowPieces} tells of.
   *
   * @return how many jobs
   */
  public int endWork() {
    timers.forEach(FunctionTimer::cancel);
    polledJobs.endAll();
    int ended = engines.values().stream().mapToInt(SerialEngine::endAll).sum();
    bus.gate().revoke(() -> {});
    return ended;
  }

  /**
   * A client is there.
   *
   * @param hangUp ends its connection; for any thread
   */
  public void clientCame(Runnable hangUp) {
    this.hangUp = hangUp;
    poller.clientCame();
    // The loop's own thread may wait for events alone.
    functionThread.execute(() -> {});
  }

  /** The client has gone: what it brought is freed, the device's own state stays. */
  public void clientGone() {
    hangUp = () -> {};
    poller.clientGone();
    migration.ifPresent(Migration::clientGone);
    misbehaviour.clientGone();
    bus.messages(Optional.empty());
    bus.kept().clear();
    bus.gate().slowPieces().forget();
    bus.stopLogging();
    interrupts.releaseAll();
    doorbellEvents.values().forEach(IoEventFds::close);
    doorbellEvents.clear();
  }

  @Override
  public void functionLevelReset() {
    reset(ResetKind.FUNCTION_LEVEL);
    misbehaviour.functionLevelReset();
  }

  @Override
  public void d3hotToD0() {
    reset(ResetKind.D3HOT_TO_D0);
  }

  @Override
  public void busMasterChanged(boolean enabled) {
    bus.enable(enabled || misbehaviour.ignoresBusMaster());
    endpoint.busMasterChanged(enabled);
    interrupts.deliverPending();
  }

  @Override
  public void memorySpaceChanged(boolean enabled) {
    endpoint.memorySpaceChanged(enabled);
  }

  @Override
  public void msixChanged() {
    interrupts.deliverPending();
  }

  @Override
  public void msiChanged() {
    interrupts.deliverPending();
  }

  @Override
  public void intxChanged() {
    interrupts.deliverPending();
  }

  /** {@link #stop}, and then {@link #free}: where there is only one thread. */
  @Override
  public void close() {
    stop();
    free();
  }

  /**
   * Ends all work, and frees everything but the memory behind BARs, at which the threads of an
   * event loop may be looking. No call but {@link #free} may follow. Doorbells are not looked at
   * any more, and what jobs have queued for the function's thread finds them ended.
   */
  public void stop() {
    poller.stop();
    boolean stopped = stopEngines();
    engines.values().forEach(SerialEngine::shutDown);
    clientGone();
    interrupts.close();
    mayFree = stopped;
    if (!stopped) {
      // It would touch what is not there.
      log.warn("an engine does not leave its work: the memory of its BARs is left to it");
    }
  }

  /** Frees the memory behind BARs, after {@link #stop}. Once the function's thread has ended. */
  public void free() {
    if (mayFree) {
      bars.close();
    }
  }
}
