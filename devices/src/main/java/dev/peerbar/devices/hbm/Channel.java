package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.endpoint.StateReader;
import dev.peerbar.endpoint.StateWriter;
import dev.peerbar.engine.DmaChannel;
import dev.peerbar.engine.Moves;
import dev.peerbar.engine.Ring;
import dev.peerbar.pci.InvalidStateException;

/**
 * The registers of a DMA channel, and when it runs. For the function's thread.
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
 *   <li>Clearing the enable bit stops the channel as an abort does, but to idle and without an
 *       error.
 *   <li>An abort of a channel that is not enabled is ignored; in a write with the abort bit the
 *       enable bit is ignored. An abort latches no fault and raises nothing: who asks for it knows.
 *   <li>A stopped channel may have completed entries from HEAD on; no record is written for the
 *       entry that was stopped.
 *   <li>An endpoint that fails at an entry, by a mistake of its own or for want of memory, halts
 *       the channel with error 5 and no address.
 *   <li>An error raises vector 0, and the channel's vector too, whatever the descriptor's flags, so
 *       that whoever waits for a completion wakes. A vector that does not exist is never raised.
 * </ul>
 */
final class Channel implements DmaChannel.Owner<Failure> {
  private static final int SMALLEST_RING = 2;
  private static final int LARGEST_RING = 1 << HbmRegisters.LARGEST_RING_LOG2;
  private static final int FAULT_VECTOR = 0;
  private static final Failure BAD = new Failure(ErrorCode.BAD_DESCRIPTOR, 0);

  private final int index;
  private final Host host;
  private final FaultLatch faults;
  private final DmaChannel<Failure> dma;

  private boolean enabled;

  /** STATE, unless the channel is running: it may be what stopped it. */
  private ChannelState stopped;

  private long ringBase;
  private long ringSize;
  private int head;
  private int tail;
  private ErrorCode error;
  private long completed;

  /** The engine looks at it too. */
  private volatile int vector;

  /** Whether entries wait for the function to go on. */
  private boolean paused;

  Channel(int index, Host host, FaultLatch faults) {
    this.index = index;
    this.host = host;
    this.faults = faults;
    dma =
        new DmaChannel<>(
            host.engine("channel-" + index),
            Descriptor.BYTES,
            new DescriptorExecutor(host.memory(HbmRegisters.MEMORY_BAR)),
            this);
    reset();
  }

  void declare(RegisterMap registers) {
    long at = HbmRegisters.channel(index);
    registers
        .readWrite(at + HbmRegisters.CTRL, "CTRL", 4, this::control, this::writeControl)
        .readOnly(at + HbmRegisters.STATE, "STATE", 4, () -> state().code())
        .readWrite(at + HbmRegisters.RING_BASE, "RING_BASE", 8, () -> ringBase, this::writeRingBase)
        .readWrite(at + HbmRegisters.RING_SIZE, "RING_SIZE", 4, () -> ringSize, this::writeRingSize)
        .readOnly(at + HbmRegisters.HEAD, "HEAD", 4, () -> head)
        .readOnly(at + HbmRegisters.ERROR, "ERROR", 4, () -> error.code())
        .readWrite(at + HbmRegisters.VECTOR, "VECTOR", 4, () -> vector, v -> vector = (int) v)
        .readOnly(at + HbmRegisters.COMPLETED, "COMPLETED", 8, () -> completed)
        .writeOnly(HbmRegisters.doorbell(index), "TAIL", this::doorbell);
  }

  boolean running() {
    return enabled && (paused ? head != tail : dma.running());
  }

  private ChannelState state() {
    return running() ? ChannelState.RUNNING : stopped;
  }

  /** Looks what the engine has done by now: to be called before a register is accessed. */
  void catchUp() {
    dma.catchUp();
  }

  /** Every register to its reset value; the host has ended the channel's jobs. */
  void reset() {
    dma.stop();
    enabled = false;
    stopped = ChannelState.IDLE;
    ringBase = 0;
    ringSize = 0;
    head = 0;
    tail = 0;
    error = ErrorCode.NONE;
    vector = index + 1;
    completed = 0;
    paused = false;
  }

  /**
   * Stops at HEAD; the host has ended the channel's jobs. Every entry that is complete counts, so
   * that at most one, the one at HEAD, was begun. It runs again from its start when the channel
   * goes on, here or in another process, and leaves what one run would have left: nothing has said
   * that it is done, so its driver still keeps its source for it, and what it writes lies outside
   * its source (a copy that overlaps itself is refused). An entry whose destination is its own
   * source by way of two mappings, or its own descriptor, is not so; nor can a driver make use of
   * one.
   */
  void pause() {
    dma.leave();
    paused = true;
  }

  /** Goes on at HEAD. */
  void resume() {
    paused = false;
    if (enabled) {
      start();
      runToTail();
    }
  }

  private void start() {
    dma.start(new Ring(ringBase, (int) ringSize, Descriptor.BYTES, head));
  }

  void save(StateWriter saved) {
    saved
        .putFlag(enabled)
        .putInt(state().code())
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
      stopped = savedState == ChannelState.RUNNING ? ChannelState.IDLE : savedState;
      ringBase = savedBase;
      ringSize = savedSize;
      head = savedHead;
      tail = savedTail;
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
    stopped = ChannelState.IDLE;
    error = ErrorCode.NONE;
    head = 0;
    tail = 0;
    completed = 0;
    host.clearDoorbell(HbmRegisters.BAR, HbmRegisters.doorbell(index));
    if (!ringIsValid(ringBase, ringSize)) {
      failed(BAD);
    } else if (!paused) {
      start();
    }
  }

  private static boolean ringIsValid(long base, long size) {
    return size >= SMALLEST_RING
        && size <= LARGEST_RING
        && Long.bitCount(size) == 1
        && !Moves.wraps(base, size * Descriptor.BYTES);
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

  /** TAIL was written. */
  void doorbell(long value) {
    if (!enabled) {
      return;
    }
    if (value >= ringSize) {
      failed(BAD);
      return;
    }
    tail = (int) value;
    runToTail();
  }

  /** Gives the engine what lies between the entries that it has and TAIL; nothing while paused. */
  private void runToTail() {
    int end = head + dma.given();
    dma.more(tail - end & (int) ringSize - 1);
  }

  @Override
  public void completed(int count, long last) {
    head = head + count & (int) ringSize - 1;
    completed += count;
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
  public void failed(Failure failure) {
    stop(ChannelState.HALTED, failure.error());
    faults.latch(index, failure.error(), failure.address());
    host.interrupts().raise(vector);
    if (vector != FAULT_VECTOR) {
      host.interrupts().raise(FAULT_VECTOR);
    }
  }

  private void stop(ChannelState newState, ErrorCode cause) {
    if (!enabled) {
      return;
    }
    dma.stop();
    enabled = false;
    stopped = newState;
    error = cause;
  }
}
