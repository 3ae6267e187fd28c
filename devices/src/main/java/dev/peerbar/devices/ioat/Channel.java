package dev.peerbar.devices.ioat;

import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.engine.Chain;
import dev.peerbar.engine.DmaChannel;
import java.util.function.IntConsumer;

/**
 * The registers of a channel, and when it runs. For the function's thread.
 *
 * <p>What a driver relies on (drivers/dma/ioat/dma.c, and lib/drivers/ioat/ioat.c of the vfio
 * selftests), and what was decided where it relies on nothing:
 *
 * <ul>
 *   <li>A write of CHAINADDR begins a chain, of which nothing is valid; the next write of DMACOUNT
 *       says how much is, and starts it. DMACOUNT counts from there, modulo 2^16. While a channel
 *       has something to do, CHAINADDR is not written.
 *   <li>A channel that is suspended stops between two descriptors. It goes on by a resume, or with
 *       another chain.
 *   <li>A reset ends what the channel does before its write is over: CHANCMD reads zero always. It
 *       clears all registers but CHANERR and its mask, and leaves the channel halted.
 *   <li>An abort ends it likewise, and changes no register. Start and append have nothing to do:
 *       DMACOUNT has started what is valid.
 *   <li>An error halts the channel at the descriptor that it was met at, whether CHANCTRL asks for
 *       that or not. What was done before counts.
 *   <li>An interrupt that comes while Interrupt Disable is set is remembered, and comes when that
 *       is cleared: no driver has to look for what was done before it cleared it.
 * </ul>
 */
final class Channel implements DmaChannel.Owner<ChannelError> {
  private static final int COUNTS = 1 << Short.SIZE;
  private static final long ALIGNMENT_MASK = IoatDescriptor.BYTES - 1;

  /** What CHANCTRL keeps: all but the bit that reads as it is, and reserved ones. */
  private static final int CONTROL_KEPT = 0xf33e;

  private static final int NO_VECTOR = -1;

  private final int index;
  private final IntConsumer interrupts;
  private final IntConsumer errors;
  private final DescriptorExecutor executor = new DescriptorExecutor();
  private final DmaChannel<ChannelError> dma;

  private int control;
  private boolean interrupted;
  private boolean held;
  private long chain;

  /** Whether the chain has not been started. */
  private boolean fresh;

  private boolean halted;
  private boolean suspended;
  private int count;
  private long valid;
  private long completed;
  private long last;
  private long completionAddress;
  private int error;
  private int errorMask;
  private long cacheControl;

  /**
   * @param interrupts told its index when it interrupts
   * @param errors told its errors, as in CHANERR
   */
  Channel(int index, Host host, IntConsumer interrupts, IntConsumer errors) {
    this.index = index;
    this.interrupts = interrupts;
    this.errors = errors;
    dma = new DmaChannel<>(host.engine("channel-" + index), IoatDescriptor.BYTES, executor, this);
    reset();
  }

  void declare(RegisterMap registers) {
    long at = IoatRegisters.channel(index);
    registers
        .readWrite(
            at + IoatRegisters.CHANCTRL, "CHANCTRL", 2, this::readControl, this::writeControl)
        .readOnly(at + IoatRegisters.CHANCOMP, "CHANCOMP", 2, () -> IoatRegisters.COMPATIBLE_V2)
        .readWrite(at + IoatRegisters.CHANCMD, "CHANCMD", 1, () -> 0, this::command)
        .readWrite(at + IoatRegisters.DMACOUNT, "DMACOUNT", 2, () -> count, this::writeCount)
        .readOnly(at + IoatRegisters.CHANSTS, "CHANSTS", 8, () -> last | state().code())
        .readWrite(at + IoatRegisters.CHAINADDR, "CHAINADDR", 8, () -> chain, this::writeChain)
        .readWrite(
            at + IoatRegisters.CHANCMP,
            "CHANCMP",
            8,
            () -> completionAddress,
            this::writeCompletionAddress)
        .readOnly(at + IoatRegisters.CURDESC, "CURDESC", 8, () -> last == 0 ? chain : last)
        .readWrite(
            at + IoatRegisters.CHANERR,
            "CHANERR",
            4,
            () -> Integer.toUnsignedLong(error),
            value -> error &= ~(int) value)
        .readWrite(
            at + IoatRegisters.CHANERRMSK,
            "CHANERRMSK",
            4,
            () -> Integer.toUnsignedLong(errorMask),
            value -> errorMask = (int) value)
        .readWrite(
            at + IoatRegisters.DCACTRL,
            "DCACTRL",
            4,
            () -> cacheControl,
            value -> cacheControl = value);
  }

  /** Looks what the engine has done by now: to be called before a register is accessed. */
  void catchUp() {
    dma.catchUp();
  }

  /** Every register to its reset value; what the channel did has ended. */
  void reset() {
    resetChannel();
    error = 0;
    errorMask = 0;
    cacheControl = 0;
  }

  private void resetChannel() {
    stop();
    control = 0;
    executor.completesErrors(false);
    interrupted = false;
    held = false;
    chain = 0;
    count = 0;
    last = 0;
    writeCompletionAddress(0);
  }

  private void stop() {
    dma.stop();
    halted = true;
    fresh = false;
    suspended = false;
  }

  private ChannelState state() {
    if (halted) {
      return ChannelState.HALTED;
    }
    if (suspended) {
      return dma.suspended() ? ChannelState.SUSPENDED : ChannelState.ACTIVE;
    }
    return dma.running() ? ChannelState.ACTIVE : ChannelState.DONE;
  }

  private long readControl() {
    return control | (interrupted ? IoatRegisters.CHANCTRL_INTERRUPTED : 0);
  }

  private void writeControl(long value) {
    control = (int) value & CONTROL_KEPT;
    executor.completesErrors(has(IoatRegisters.CHANCTRL_ERROR_COMPLETION));
    if ((value & IoatRegisters.CHANCTRL_INTERRUPTED) != 0) {
      interrupted = false;
      if (held) {
        held = false;
        interrupt();
      }
    }
  }

  private boolean has(int controlBit) {
    return (control & controlBit) != 0;
  }

  private void command(long value) {
    switch ((int) value) {
      case 0, IoatRegisters.CHANCMD_START, IoatRegisters.CHANCMD_APPEND -> {}
      case IoatRegisters.CHANCMD_SUSPEND -> suspend();
      case IoatRegisters.CHANCMD_RESUME -> resume();
      case IoatRegisters.CHANCMD_ABORT -> stop();
      case IoatRegisters.CHANCMD_RESET -> resetChannel();
      default -> failed(ChannelError.COMMAND);
    }
  }

  private void suspend() {
    if (!halted) {
      suspended = true;
      dma.suspend();
    }
  }

  private void resume() {
    if (suspended) {
      suspended = false;
      dma.resume();
    }
  }

  private void writeChain(long value) {
    if (state() == ChannelState.ACTIVE) {
      return;
    }
    chain = value;
    fresh = true;
    count = 0;
  }

  private void writeCompletionAddress(long value) {
    completionAddress = value & -Long.BYTES;
    executor.completionAddress(completionAddress);
  }

  private void writeCount(long value) {
    int more = (int) value - count & COUNTS - 1;
    count = (int) value;
    if (more == 0) {
      return;
    }
    if (fresh) {
      fresh = false;
      if (chain == 0 || (chain & ALIGNMENT_MASK) != 0) {
        failed(ChannelError.CHAIN_ADDRESS);
        return;
      }
      halted = false;
      suspended = false;
      valid = 0;
      completed = 0;
      last = 0;
      executor.nextChain();
      dma.start(Chain.from(chain, IoatDescriptor.NEXT));
    }
    if (!halted) {
      valid += more;
      dma.more((int) (valid - completed) - dma.given());
    }
  }

  @Override
  public void completed(int more, long iova) {
    completed += more;
    last = iova;
  }

  @Override
  public void failed(ChannelError failure) {
    stop();
    error |= failure.mask();
    errors.accept(failure.mask());
    if (has(IoatRegisters.CHANCTRL_ERROR_INTERRUPT) && (failure.mask() & errorMask) == 0) {
      interrupt();
    }
  }

  /** The engine cannot know whether another one may come. */
  @Override
  public int vector() {
    return NO_VECTOR;
  }

  @Override
  public void interrupt() {
    if (interrupted) {
      held = true;
      return;
    }
    interrupted = true;
    interrupts.accept(index);
  }
}
