package dev.peerbar.devices.ioat;

import static dev.peerbar.devices.ioat.IoatDescriptor.INT;
import static dev.peerbar.devices.ioat.IoatDescriptor.LONG;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.BadLinkException;
import dev.peerbar.engine.CompletionWriter;
import dev.peerbar.engine.DescriptorHandler;
import dev.peerbar.engine.Moves;
import java.lang.foreign.MemorySegment;

/**
 * Judges and carries out descriptors, and writes what CHANSTS says then. For one engine's thread,
 * but for what the function's thread sets.
 *
 * <p>Bits of the control word without a meaning here (snooping, page breaks, bundles, hints, direct
 * cache access) are ignored, as are those of a descriptor that transfers nothing.
 */
final class DescriptorExecutor implements DescriptorHandler<ChannelError> {
  private static final long LONGEST = 1L << IoatRegisters.XFERCAP_LOG2;

  private final Moves moves = new Moves(MemorySegment.NULL);
  private final CompletionWriter completion = new CompletionWriter(Long.BYTES, 0, Long.BYTES);

  // Registers, which the function's thread writes.
  private volatile long completionAddress;
  private volatile boolean completesErrors;

  /** Which chain is carried out: the function's thread counts them. */
  private volatile int chain;

  // The descriptor under way, and the last one of its chain that was done.
  private int chainUnderWay;
  private int control;
  private long current;
  private long last;

  /** What the channel halts for if it cannot be told that a descriptor is done. */
  private DmaFaultException untold;

  void completionAddress(long iova) {
    completionAddress = iova;
  }

  void completesErrors(boolean on) {
    completesErrors = on;
  }

  /** What is carried out from now on belongs to another chain. */
  void nextChain() {
    chain++;
  }

  private void begin() {
    int now = chain;
    if (chainUnderWay != now) {
      chainUnderWay = now;
      last = 0;
    }
  }

  @Override
  public ChannelError of(DmaFaultException fault) {
    return fault == untold ? ChannelError.COMPLETION_ADDRESS : ChannelError.of(fault);
  }

  @Override
  public ChannelError broken() {
    return ChannelError.UNAFFILIATED;
  }

  @Override
  public ChannelError execute(Dma dma, MemorySegment fetched, long offset, long iova)
      throws DmaFaultException, JobEndedException {
    begin();
    current = iova;
    control = fetched.get(INT, offset + IoatDescriptor.CONTROL);
    if ((control & IoatDescriptor.NULL) != 0) {
      return null;
    }
    int operation = control >>> IoatDescriptor.OPERATION_SHIFT;
    long size = Integer.toUnsignedLong(fetched.get(INT, offset + IoatDescriptor.SIZE));
    long source = fetched.get(LONG, offset + IoatDescriptor.SOURCE);
    long destination = fetched.get(LONG, offset + IoatDescriptor.DESTINATION);
    if (operation != IoatDescriptor.COPY && operation != IoatDescriptor.FILL) {
      return ChannelError.CONTROL;
    }
    if (size == 0 || size > LONGEST) {
      return ChannelError.LENGTH;
    }
    if (operation == IoatDescriptor.COPY && Moves.wraps(source, size)) {
      return ChannelError.SOURCE_ADDRESS;
    }
    if (Moves.wraps(destination, size)) {
      return ChannelError.DESTINATION_ADDRESS;
    }
    moves.begin();
    if (operation == IoatDescriptor.COPY) {
      moves.copy(dma, false, source, false, destination, size);
    } else {
      moves.fill(dma, false, destination, size, source);
    }
    return null;
  }

  @Override
  public void complete(Dma dma, ChannelError failure) throws DmaFaultException, JobEndedException {
    if (failure != null) {
      completeError(dma);
      return;
    }
    if ((control & IoatDescriptor.COMPLETION) != 0) {
      try {
        write(dma, current | ChannelState.ACTIVE.code());
      } catch (DmaFaultException fault) {
        untold = fault;
        throw fault;
      }
    }
    last = current;
  }

  private void write(Dma dma, long status) throws DmaFaultException, JobEndedException {
    completion.entry().set(LONG, 0, status);
    completion.write(dma, completionAddress);
  }

  private void completeError(Dma dma) throws JobEndedException {
    if (!completesErrors) {
      return;
    }
    try {
      write(dma, last | ChannelState.HALTED.code());
    } catch (DmaFaultException fault) {
      // What the channel halts for stays what it was.
    }
  }

  @Override
  public boolean interrupts() {
    return (control & IoatDescriptor.INTERRUPT) != 0;
  }

  @Override
  public ChannelError unreadable(Dma dma, DmaFaultException fault) throws JobEndedException {
    begin();
    completeError(dma);
    return ChannelError.NEXT_ADDRESS;
  }

  @Override
  public ChannelError unlinked(Dma dma, BadLinkException link) throws JobEndedException {
    begin();
    completeError(dma);
    return ChannelError.NEXT_ALIGNMENT;
  }
}
