package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.endpoint.StateReader;
import dev.peerbar.endpoint.StateWriter;
import dev.peerbar.pci.InvalidStateException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A DMA channel: its registers, and when it runs. For the function's thread.
 *
 * <p>Where the register map leaves a choice:
 *
 * <ul>
 *   <li>A halt or an abort clears the enable bit; writing it again starts afresh, and disabling
 *       then changes nothing: STATE and ERROR stay to be read.
 *   <li>Enabling with a RING_SIZE that is not a power of two from 2 to 32768, or with a ring that
 *       wraps around the end of the address space, halts at once with error 1. So does a TAIL that
 *       is not an entry of the ring. The low six bits of RING_BASE are always zero.
 *   <li>A doorbell of a channel that is not enabled is ignored.
 *   <li>Clearing the enable bit stops a run as an abort does, but to idle and without an error.
 *   <li>An abort of a channel that is not enabled is ignored; in a write with the abort bit the
 *       enable bit is ignored. An abort latches no fault and raises nothing: who asks for it knows.
 *   <li>A stopped run may have completed entries from HEAD on; no record is written for the entry
 *       that was stopped.
 *   <li>An endpoint that fails at an entry, by a mistake of its own or for want of memory, halts
 *       the channel with error 5 and no address.
 *   <li>An error raises vector 0, and the channel's vector too, whatever the descriptor's flags, so
 *       that whoever waits for a completion wakes. A vector that does not exist is never raised.
 * </ul>
 */
final class Channel implements RingRun.Owner {
  private static final int SMALLEST_RING = 2;
  private static final int LARGEST_RING = 1 << HbmRegisters.LARGEST_RING_LOG2;
  private static final int FAULT_VECTOR = 0;

  private final int index;
  private final Host host;
  private final FaultLatch faults;
  private final Engine engine;
  private final DescriptorExecutor executor;
  private final MemorySegment fetched;

  private boolean enabled;
  private ChannelState state;
  private long ringBase;
  private long ringSize;
  private int head;
  private ErrorCode error;
  private long completed;

  // What the engine looks at too.
  private volatile int tail;
  private volatile int vector;

  /** Up to where entries were given to the engine; equals HEAD when it has none. */
  private int runEnd;

  // The last run since the channel was enabled and its job, or null.
  private RingRun run;
  private Engine.Ticket ticket;

  /** Whether an interrupt of a run since the channel was enabled could not be signalled. */
  private AtomicBoolean held = new AtomicBoolean();

  /** Whether entries wait for the function to go on: HEAD equals {@code runEnd} then. */
  private boolean paused;

  Channel(int index, Host host, FaultLatch faults) {
    this.index = index;
    this.host = host;
    this.faults = faults;
    engine = host.engine("channel-" + index);
    Arena arena = Arena.ofAuto();
    executor = new DescriptorExecutor(host.memory(HbmRegisters.MEMORY_BAR), arena);
    fetched = arena.allocate(RingRun.FETCH_BYTES, Descriptor.BYTES);
    reset();
  }

  void declare(RegisterMap registers) {
    long at = HbmRegisters.channel(index);
    registers
        .readWrite(at + HbmRegisters.CTRL, "CTRL", 4, this::control, this::writeControl)
        .readOnly(at + HbmRegisters.STATE, "STATE", 4, () -> state.code())
        .readWrite(at + HbmRegisters.RING_BASE, "RING_BASE", 8, () -> ringBase, this::writeRingBase)
        .readWrite(at + HbmRegisters.RING_SIZE, "RING_SIZE", 4, () -> ringSize, this::writeRingSize)
        .readOnly(at + HbmRegisters.HEAD, "HEAD", 4, () -> head)
        .readOnly(at + HbmRegisters.ERROR, "ERROR", 4, () -> error.code())
        .readWrite(at + HbmRegisters.VECTOR, "VECTOR", 4, () -> vector, v -> vector = (int) v)
        .readOnly(at + HbmRegisters.COMPLETED, "COMPLETED", 8, () -> completed)
        .writeOnly(HbmRegisters.doorbell(index), "TAIL", this::doorbell);
  }

  boolean running() {
    return state == ChannelState.RUNNING;
  }

  /** Looks what the engine has done by now: to be called before a register is accessed. */
  void catchUp() {
    if (run != null) {
      run.tell();
    }
  }

  /** Whatever a run that has ended has done since: it does not count. */
  private void forgetRun() {
    run = null;
    ticket = null;
    held = new AtomicBoolean();
  }

  /** Every register to its reset value; the host has ended the run. */
  void reset() {
    enabled = false;
    state = ChannelState.IDLE;
    ringBase = 0;
    ringSize = 0;
    head = 0;
    tail = 0;
    runEnd = 0;
    error = ErrorCode.NONE;
    vector = index + 1;
    completed = 0;
    paused = false;
    forgetRun();
  }

  /**
   * Stops at HEAD; the host has ended the run. Every entry that is complete counts, so that at most
   * one, the one at HEAD, was begun. It runs again from its start when the channel goes on, here or
   * in another process, and leaves what one run would have left: nothing has said that it is done,
   * so its driver still keeps its source for it, and what it writes lies outside its source (a copy
   * that overlaps itself is refused). An entry whose destination is its own source by way of two
   * mappings, or its own descriptor, is not so; nor can a driver make use of one.
   */
  void pause() {
    paused = true;
    catchUp();
    runEnd = head;
    forgetRun();
  }

  /** Goes on at HEAD. */
  void resume() {
    paused = false;
    if (enabled) {
      runToTail();
    }
  }

  void save(StateWriter saved) {
    saved
        .putFlag(enabled)
        .putInt(state.code())
        .putLong(ringBase)
        .putInt(ringSize)
        .putInt(head)
        .putInt(tail)
        .putInt(error.code())
        .putInt(vector)
        .putLong(completed);
  }

  /**
   * Judges saved fields.
   *
   * @return what takes them on, for a channel that is paused
   * @throws InvalidStateException if no channel can have them
   */
  Runnable judge(StateReader saved) throws InvalidStateException {
    boolean savedEnabled = saved.getFlag("CTRL");
    ChannelState savedState = ChannelState.restore(saved);
    long savedBase = saved.getLong();
    long savedSize = saved.getInt();
    int savedHead = saved.getInt("HEAD", LARGEST_RING - 1);
    int savedTail = saved.getInt("TAIL", LARGEST_RING - 1);
    ErrorCode savedError = ErrorCode.restore(saved);
    int savedVector = (int) saved.getInt();
    long savedCompleted = saved.getLong();
    boolean possible =
        (savedBase & Descriptor.BYTES - 1) == 0
            && switch (savedState) {
              case IDLE ->
                  savedError == ErrorCode.NONE && !(savedEnabled && savedHead != savedTail);
              case RUNNING ->
                  savedError == ErrorCode.NONE && savedEnabled && savedHead != savedTail;
              case HALTED -> savedError.halts() && !savedEnabled;
              case ABORTED -> savedError == ErrorCode.ABORTED && !savedEnabled;
            }
            && !(savedEnabled
                && !(ringIsValid(savedBase, savedSize)
                    && savedHead < savedSize
                    && savedTail < savedSize));
    if (!possible) {
      throw new InvalidStateException(
          "Channel %d is %s at %d of %d entries"
              .formatted(index, savedState, savedHead, savedSize));
    }
    return () -> {
      enabled = savedEnabled;
      state = savedState;
      ringBase = savedBase;
      ringSize = savedSize;
      head = savedHead;
      tail = savedTail;
      runEnd = savedHead;
      error = savedError;
      vector = savedVector;
      completed = savedCompleted;
    };
  }

  private long control() {
    return enabled ? HbmRegisters.CTRL_ENABLE : 0;
  }

  private void writeControl(long value) {
    if ((value & HbmRegisters.CTRL_ABORT) != 0) {
      stop(ChannelState.ABORTED, ErrorCode.ABORTED);
    } else if ((value & HbmRegisters.CTRL_ENABLE) == 0) {
      stop(ChannelState.IDLE, ErrorCode.NONE);
    } else if (!enabled) {
      enable();
    }
  }

  private void enable() {
    enabled = true;
    state = ChannelState.IDLE;
    error = ErrorCode.NONE;
    head = 0;
    tail = 0;
    runEnd = 0;
    completed = 0;
    host.clearDoorbell(HbmRegisters.BAR, HbmRegisters.doorbell(index));
    if (!ringIsValid(ringBase, ringSize)) {
      failed(ErrorCode.BAD_DESCRIPTOR, 0);
    }
  }

  private static boolean ringIsValid(long base, long size) {
    return size >= SMALLEST_RING
        && size <= LARGEST_RING
        && Long.bitCount(size) == 1
        && !DescriptorExecutor.wraps(base, size * Descriptor.BYTES);
  }

  private void writeRingBase(long value) {
    if (!enabled) {
      ringBase = value & -Descriptor.BYTES;
    }
  }

  private void writeRingSize(long value) {
    if (!enabled) {
      ringSize = value;
    }
  }

  private void doorbell(long value) {
    if (!enabled) {
      return;
    }
    if (value >= ringSize) {
      failed(ErrorCode.BAD_DESCRIPTOR, 0);
      return;
    }
    // The engine looks at this after its last entry; if it did so before, that entry is seen here.
    tail = (int) value;
    catchUp();
    if (enabled && head == runEnd) {
      runToTail();
    }
  }

  /** Gives the engine what the last doorbell made valid, if anything, unless paused. */
  private void runToTail() {
    if (head == tail) {
      state = ChannelState.IDLE;
      return;
    }
    state = ChannelState.RUNNING;
    if (paused) {
      return;
    }
    runEnd = tail;
    run = new RingRun(ringBase, (int) ringSize, head, runEnd, fetched, executor, held, this);
    AtomicBoolean enabledWith = held;
    ticket = engine.submit(run, _ -> broken(enabledWith));
  }

  /**
   * The endpoint's work for the channel has thrown.
   *
   * @param enabledWith what that work had for {@link #held}, which is another one by now if the
   *     channel has been stopped
   */
  private void broken(AtomicBoolean enabledWith) {
    if (enabledWith != held) {
      return;
    }
    try {
      catchUp();
    } finally {
      // Unless the run has told it already. A run that had handed over to the next one has not, and
      // may have failed to interrupt.
      if (enabled) {
        failed(ErrorCode.ABORTED, 0);
      }
    }
  }

  @Override
  public void completed(int newHead, int count) {
    head = newHead;
    completed += count;
    if (head == runEnd) {
      // The run is over but for its return; the next one queues behind it.
      runToTail();
    }
  }

  @Override
  public void interrupt() {
    host.interrupts().raise(vector);
  }

  @Override
  public int vector() {
    return vector;
  }

  @Override
  public int tail() {
    return tail;
  }

  @Override
  public void failed(ErrorCode cause, long address) {
    stop(ChannelState.HALTED, cause);
    faults.latch(index, cause, address);
    host.interrupts().raise(vector);
    if (vector != FAULT_VECTOR) {
      host.interrupts().raise(FAULT_VECTOR);
    }
  }

  private void stop(ChannelState newState, ErrorCode cause) {
    if (!enabled) {
      return;
    }
    if (ticket != null) {
      ticket.end();
    }
    forgetRun();
    runEnd = head;
    enabled = false;
    state = newState;
    error = cause;
  }
}
