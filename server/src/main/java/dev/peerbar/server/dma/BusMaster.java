package dev.peerbar.server.dma;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * A function as the master of its bus: what it may reach, and whether it may at all. The function's
 * thread changes it; the jobs of its engines use it.
 */
public final class BusMaster {
  private final Gate gate = new Gate();
  private final DmaTable table;
  private final Executor functionThread;
  private final KeptMappings kept;
  private volatile boolean enabled;

  // Null unless engines stick.
  private volatile Stall stall;
  // Null unless memory is trusted.
  private volatile Runnable betrayed;
  private volatile Optional<MessagePath> messages = Optional.empty();
  private volatile MessageLimits messageLimits = MessageLimits.DEFAULTS;
  private volatile Optional<DirtyLog> dirtyLog = Optional.empty();

  /**
   * @param functionThread runs what it is given on the function's thread, in order
   * @param maxDmaMaps mappings that may live at the same time
   */
  public BusMaster(Executor functionThread, int maxDmaMaps) {
    this.functionThread = functionThread;
    table = new DmaTable(gate, maxDmaMaps);
    kept = new KeptMappings(table);
  }

  public DmaTable table() {
    return table;
  }

  /** The table as the client changes it. */
  public KeptMappings kept() {
    return kept;
  }

  /**
   * Has engines stick where they would move bytes, from now on, and lets go those that stuck. For
   * the function's thread.
   *
   * @param engines whether one does, by its name; none for no engine
   */
  public void stick(Optional<Predicate<String>> engines) {
    Stall before = stall;
    stall = engines.map(Stall::new).orElse(null);
    if (before != null) {
      before.end();
    }
  }

  /** What holds engines up; null if nothing does. */
  Stall stall() {
    return stall;
  }

  /**
   * Writes client memory without asking whether that is there, as nothing that works would. For the
   * function's thread.
   *
   * @param from native memory, to be left as it is until the end
   * @param told what came of it, in words
   * @return false if there is no client
   */
  public boolean writeUnchecked(long iova, MemorySegment from, Consumer<String> told) {
    Optional<MessagePath> path = messages;
    path.ifPresent(way ->
        way.write(
            iova,
            from,
            new MessagePath.Completion() {
              @Override
              public boolean mayBegin() {
                return true;
              }

              @Override
              public void done() {
                told.accept("the client did it");
              }

              @Override
              public void failed() {
                told.accept("refused by the client");
              }
            }));
    return path.isPresent();
  }

  public Gate gate() {
    return gate;
  }

  /**
   * Bus Master Enable. When it returns from {@code false}, nothing is being copied any more, but
   * for steps that {@link SlowPieces} tells of.
   */
  public void enable(boolean on) {
    if (on) {
      gate.exclusively(() -> enabled = true);
    } else {
      gate.revoke(() -> enabled = false);
    }
  }

  /**
   * From now on touches the client's memory wherever it can be mapped, though the client could take
   * it away.
   *
   * @param whenBetrayed called if a client has done so: what was copied may be anything, and its
   *     completion must not be reported. Runs on an engine's thread, and should not return
   */
  public void trustMemory(Runnable whenBetrayed) {
    table.files().trust();
    betrayed = whenBetrayed;
  }

  /** What to do if memory that was trusted is not there; null if none is trusted. */
  Runnable betrayed() {
    return betrayed;
  }

  public boolean enabled() {
    return enabled;
  }

  /** The way to the client that is connected now, if one is. */
  public void messages(Optional<MessagePath> path) {
    messages = path;
  }

  Optional<MessagePath> messages() {
    return messages;
  }

  /** Bounds what transfers that begin from now on do by messages. For any thread. */
  public void limitMessages(MessageLimits limits) {
    messageLimits = limits;
  }

  MessageLimits messageLimits() {
    return messageLimits;
  }

  /**
   * Logs direct writes from now on, in place of what was logged before. For the function's thread.
   *
   * @param ranges what to log, without overlaps; none for everything
   */
  public void startLogging(List<DirtyLog.Range> ranges) {
    dirtyLog = Optional.of(new DirtyLog(gate, ranges));
    // Steps that began without it have ended when this is answered.
    gate.drain();
  }

  /** Forgets what was logged, and logs no more. */
  public void stopLogging() {
    dirtyLog = Optional.empty();
  }

  /** What was written directly, if that is being logged. */
  public Optional<DirtyLog> dirtyLog() {
    return dirtyLog;
  }

  /** Logs a direct write, if that is wanted. For an engine inside the gate. */
  void written(long iova, long length) {
    Optional<DirtyLog> log = dirtyLog;
    if (log.isPresent()) {
      log.get().written(iova, length);
    }
  }

  Executor functionThread() {
    return functionThread;
  }

  /** Bus mastering on behalf of one job of an engine, on the engine's thread. */
  public Dma dma(JobState job, EngineName engine, Bounce bounce) {
    return new RecordedDma(this, job, new JobDma(this, job, bounce, false), engine, false);
  }

  /** Bus mastering on behalf of one job of an engine, on the function's thread, without waiting. */
  public Dma dmaInPlace(JobState job, EngineName engine, Bounce bounce) {
    return new RecordedDma(this, job, new JobDma(this, job, bounce, true), engine, true);
  }

  /**
   * Judges an access where it begins. Inside the gate or on the function's thread.
   *
   * @param found what covers the address; null for nothing
   * @param transferred what to say in the fault
   * @return what was found
   */
  Extent permit(Extent found, Access access, long address, long transferred)
      throws DmaFaultException {
    if (!enabled) {
      throw new DmaFaultException(access, Reason.BUS_MASTER_DISABLED, address, transferred);
    }
    if (found == null) {
      throw new DmaFaultException(access, Reason.UNMAPPED, address, transferred);
    }
    if (!found.permits(access)) {
      throw new DmaFaultException(access, Reason.NOT_PERMITTED, address, transferred);
    }
    return found;
  }
}
