package dev.peerbar.engine;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A channel that copies client memory as chains of descriptors tell it, in the manner of Intel's
 * I/OAT: what a second kind of engine makes of the common parts.
 *
 * <p>BAR 0: {@link #CHAIN} WO 8, the first descriptor of a new chain; {@link #COUNT} RW 4, how many
 * are valid since that was written, modulo 2^16; {@link #COMMAND} WO 4; {@link #STATUS} RO 8, the
 * last descriptor that is done and in bits 2:0 the state; {@link #COMPLETION} RW 8, where STATUS is
 * written to; {@link #ERROR} RO 4; {@link #ERROR_ADDRESS} RO 8. A descriptor: size (4 bytes),
 * control (4), source, destination, the next one.
 */
final class ChainCopier implements Endpoint, DmaChannel.Owner<ChainCopier.Halt> {
  static final long CHAIN = 0x00;
  static final long COUNT = 0x08;
  static final long COMMAND = 0x0c;
  static final long STATUS = 0x10;
  static final long COMPLETION = 0x18;
  static final long ERROR = 0x20;
  static final long ERROR_ADDRESS = 0x28;

  static final int SUSPEND = 1;
  static final int RESUME = 2;
  static final int ABORT = 4;

  static final int ACTIVE = 0;
  static final int DONE = 1;
  static final int SUSPENDED = 2;
  static final int HALTED = 3;

  static final int SOURCE_ERROR = 1;
  static final int DESTINATION_ERROR = 1 << 1;
  static final int LINK_UNREADABLE = 1 << 2;
  static final int LINK_MISALIGNED = 1 << 3;
  static final int BROKEN = 1 << 5;
  static final int LENGTH_ERROR = 1 << 11;

  static final int DESCRIPTOR_BYTES = 64;
  static final int SIZE_OFFSET = 0;
  static final int CONTROL_OFFSET = 4;
  static final int SOURCE_OFFSET = 8;
  static final int DESTINATION_OFFSET = 16;
  static final int LINK_OFFSET = 24;

  static final int INTERRUPT = 1;
  static final int WRITE_STATUS = 1 << 3;

  private static final int MOST_BYTES = 1 << 20;
  private static final int COUNT_MASK = 0xffff;

  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final PciFunction function =
      PciFunction.builder()
          .identity(0x1234, 0x0e0f)
          .classCode(0x088000)
          .registers(0, 4096)
          .msix(4, 4096, 1, 0x000, 0x800)
          .build();
  private final RegisterMap registers = new RegisterMap(4096);

  private Host host;
  private DmaChannel<Halt> channel;
  private int completed;
  private long last;
  private Halt halt;
  private volatile long completion;

  /** Why the channel has halted. */
  record Halt(int error, long address) {}

  @Override
  public PciFunction function() {
    return function;
  }

  @Override
  public void start(Host newHost) {
    host = newHost;
    channel = new DmaChannel<>(host.engine("chain"), DESCRIPTOR_BYTES, new Copying(), this);
    registers
        .readWrite(CHAIN, "CHAIN", 8, () -> 0, this::begin)
        .readWrite(COUNT, "COUNT", 4, () -> completed & COUNT_MASK, this::more)
        .writeOnly(COMMAND, "COMMAND", this::command)
        .readOnly(STATUS, "STATUS", 8, () -> last | state())
        .readWrite(COMPLETION, "COMPLETION", 8, () -> completion, at -> completion = at)
        .readOnly(ERROR, "ERROR", 4, () -> halt == null ? 0 : halt.error)
        .readOnly(ERROR_ADDRESS, "ERROR_ADDRESS", 8, () -> halt == null ? 0 : halt.address);
  }

  private void begin(long first) {
    clear();
    channel.start(Chain.from(first, LINK_OFFSET));
  }

  /** Goes on after a descriptor that another channel has done: what a migration does. */
  void beginAfter(long done) {
    clear();
    last = done;
    channel.start(Chain.after(done, LINK_OFFSET));
  }

  private void clear() {
    channel.stop();
    completed = 0;
    last = 0;
    halt = null;
  }

  private void more(long count) {
    channel.more((int) count - completed - channel.given() & COUNT_MASK);
  }

  private void command(long command) {
    switch ((int) command) {
      case SUSPEND -> channel.suspend();
      case RESUME -> channel.resume();
      case ABORT -> channel.stop();
      default -> {}
    }
  }

  private int state() {
    if (halt != null) {
      return HALTED;
    }
    return channel.suspended() ? SUSPENDED : channel.running() ? ACTIVE : DONE;
  }

  @Override
  public long read(int bar, long offset, AccessWidth width) {
    channel.catchUp();
    return registers.read(offset, width);
  }

  @Override
  public void write(int bar, long offset, AccessWidth width, long value) {
    channel.catchUp();
    registers.write(offset, width, value);
  }

  @Override
  public void reset(ResetKind kind) {
    clear();
    completion = 0;
  }

  @Override
  public void completed(int count, long newLast) {
    completed += count;
    last = newLast;
  }

  @Override
  public void failed(Halt failure) {
    halt = failure;
    host.interrupts().raise(0);
  }

  @Override
  public void interrupt() {
    host.interrupts().raise(0);
  }

  @Override
  public int vector() {
    return 0;
  }

  /** The engine's side. */
  private final class Copying implements DescriptorHandler<Halt> {
    private final Halt broken = new Halt(BROKEN, 0);
    private final Moves moves = new Moves(MemorySegment.NULL);
    private final CompletionWriter writer = new CompletionWriter(Long.BYTES, 0, Long.BYTES);
    private int control;
    private long current;
    private long done;

    @Override
    public Halt of(DmaFaultException fault) {
      return new Halt(
          switch (fault.access()) {
            case READ -> SOURCE_ERROR;
            case WRITE -> DESTINATION_ERROR;
          },
          fault.iova());
    }

    @Override
    public Halt broken() {
      return broken;
    }

    @Override
    public Halt execute(Dma dma, MemorySegment fetched, long offset, long iova)
        throws DmaFaultException, JobEndedException {
      current = iova;
      control = fetched.get(INT, offset + CONTROL_OFFSET);
      int size = fetched.get(INT, offset + SIZE_OFFSET);
      if (size <= 0 || size > MOST_BYTES) {
        return new Halt(LENGTH_ERROR, 0);
      }
      moves.begin();
      moves.copy(
          dma,
          false,
          fetched.get(LONG, offset + SOURCE_OFFSET),
          false,
          fetched.get(LONG, offset + DESTINATION_OFFSET),
          size);
      done = iova;
      return null;
    }

    @Override
    public void complete(Dma dma, Halt failure) throws DmaFaultException, JobEndedException {
      if (failure != null) {
        write(dma, done | HALTED);
      } else if ((control & WRITE_STATUS) != 0) {
        write(dma, current | DONE);
      }
    }

    private void write(Dma dma, long status) throws DmaFaultException, JobEndedException {
      writer.entry().set(LONG, 0, status);
      writer.write(dma, completion);
    }

    @Override
    public boolean interrupts() {
      return (control & INTERRUPT) != 0;
    }

    @Override
    public Halt unreadable(Dma dma, DmaFaultException fault) {
      return new Halt(LINK_UNREADABLE, fault.iova());
    }

    @Override
    public Halt unlinked(Dma dma, BadLinkException link) {
      return new Halt(LINK_MISALIGNED, link.link());
    }
  }
}
