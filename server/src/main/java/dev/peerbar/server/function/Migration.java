package dev.peerbar.server.function;

import dev.peerbar.linux.Errno;
import dev.peerbar.pci.InvalidStateException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Where a function is in a migration, and its state on the way out or in (vfio-user,
 * VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE; linux/vfio.h, enum vfio_device_mig_state). For the
 * function's thread.
 *
 * <p>The function runs in RUNNING and PRE_COPY. In every other state it is paused: it does no DMA
 * and raises no interrupt, and registers are written without anything being done about it until it
 * runs again. While it runs nobody can tell what clients store through a mapped BAR, so PRE_COPY
 * sends the stream's header alone, by which a destination refuses early what it cannot take on.
 */
public final class Migration {
  /** The states that a client sees. Those of peer-to-peer migration are not used in vfio-user. */
  public enum State {
    /** A migration failed; only a reset leads out of it. */
    ERROR,
    STOP,
    RUNNING,
    STOP_COPY,
    RESUMING,
    PRE_COPY
  }

  /** A request that is refused. The state is what {@link Migration#state} says afterwards. */
  public static final class RefusedException extends Exception {
    private static final long serialVersionUID = 1L;
    private final Errno errno;

    RefusedException(Errno errno, String reason) {
      super(reason, null, false, false);
      this.errno = errno;
    }

    public Errno errno() {
      return errno;
    }
  }

  /** What stops the function and starts it again. */
  interface Quiescer {

    /**
     * Stops it, without waiting for a client.
     *
     * @return false if an engine is stuck in its work: what the work has done cannot be known
     */
    boolean pause();

    /** Goes on where it stopped. */
    void resume();
  }

  private final FunctionLog log;
  private final MigrationParts parts;
  private final Quiescer quiescer;
  private State state = State.RUNNING;

  /** The data transfer session of STOP_COPY and PRE_COPY, else null. */
  private MigrationSource source;

  /** The data transfer session of RESUMING, else null. */
  private MigrationSink sink;

  Migration(FunctionLog log, MigrationParts parts, Quiescer quiescer) {
    this.log = log;
    this.parts = parts;
    this.quiescer = quiescer;
  }

  public State state() {
    return state;
  }

  /**
   * Goes to a state, arc by arc. When an arc fails, those before it have been gone.
   *
   * @throws RefusedException EINVAL if there is no way, or the state that was written is incomplete
   *     or invalid; EIO if the function cannot be stopped
   */
  public void go(State target) throws RefusedException {
    List<State> path = MigrationPaths.find(state, target).orElse(null);
    if (path == null) {
      throw new RefusedException(Errno.EINVAL, "no way from %s to %s".formatted(state, target));
    }
    for (State next : path) {
      take(next);
      log.info("migration, %s to %s", state, next);
      state = next;
    }
  }

  private void take(State next) throws RefusedException {
    switch (next) {
      case STOP -> stop();
      case RUNNING -> {
        source = null;
        if (state == State.STOP) {
          quiescer.resume();
        }
      }
      case PRE_COPY -> source = new MigrationSource(parts);
      case STOP_COPY -> {
        if (state == State.PRE_COPY) {
          pause();
        } else {
          source = new MigrationSource(parts);
        }
        source.functionStopped();
      }
      case RESUMING -> sink = new MigrationSink(parts);
      case ERROR -> throw new IllegalStateException("no arc leads to ERROR");
    }
  }

  private void stop() throws RefusedException {
    switch (state) {
      case RUNNING -> pause();
      case RESUMING -> complete();
      default -> source = null;
    }
  }

  private void pause() throws RefusedException {
    if (!quiescer.pause()) {
      fail();
      throw new RefusedException(Errno.EIO, "an engine does not stop");
    }
  }

  private void complete() throws RefusedException {
    try {
      sink.complete();
      sink = null;
    } catch (InvalidStateException e) {
      if (sink.memoryTouched()) {
        fail();
        parts.zeroMemory();
      } else {
        // As it was before RESUMING: the client may write another state, from its beginning.
        sink = new MigrationSink(parts);
      }
      throw new RefusedException(Errno.EINVAL, e.getMessage());
    }
  }

  private void fail() {
    log.warn("migration, %s to ERROR", state);
    state = State.ERROR;
    endSession();
  }

  private void endSession() {
    source = null;
    sink = null;
  }

  /**
   * Fills the buffer with the next of the state; not all of it only if there is no more in this
   * state of the function.
   *
   * @return bytes put
   * @throws RefusedException EINVAL outside STOP_COPY and PRE_COPY
   */
  public int read(ByteBuffer into) throws RefusedException {
    if (source == null) {
      throw new RefusedException(Errno.EINVAL, "nothing to read in " + state);
    }
    return source.read(into);
  }

  /**
   * Takes the next of a state on. If it is refused before the function's memory has changed, the
   * client may write another one, from its beginning; later, nothing follows but ERROR.
   *
   * @throws RefusedException EINVAL outside RESUMING, or for what cannot be a state of the function
   */
  public void write(ByteBuffer piece) throws RefusedException {
    if (sink == null) {
      throw new RefusedException(Errno.EINVAL, "nothing to write in " + state);
    }
    try {
      sink.write(piece);
    } catch (InvalidStateException e) {
      if (!sink.memoryTouched()) {
        sink = new MigrationSink(parts);
      }
      throw new RefusedException(Errno.EINVAL, e.getMessage());
    }
  }

  /** The function has been reset: it runs, and a data transfer session is over. */
  void reset() {
    endSession();
    state = State.RUNNING;
  }

  /**
   * The client has gone, and its data transfer session with it. The function stays paused or goes
   * on as it was: a client that comes next and knows nothing of a migration resets it first.
   *
   * <ul>
   *   <li>PRE_COPY becomes RUNNING and STOP_COPY becomes STOP: the arcs that end a session and do
   *       nothing else. The function is as it was, and complete.
   *   <li>RESUMING becomes STOP if nothing has changed yet; else ERROR. Its memory is another
   *       function's then, all or a part, and the client never said that it was all: neither the
   *       old state nor the new one can go on.
   * </ul>
   */
  void clientGone() {
    switch (state) {
      case PRE_COPY -> state = State.RUNNING;
      case STOP_COPY -> state = State.STOP;
      case RESUMING -> {
        if (sink.memoryTouched()) {
          fail();
          parts.zeroMemory();
        } else {
          state = State.STOP;
        }
      }
      case ERROR, STOP, RUNNING -> {}
    }
    endSession();
  }
}
