package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.DescriptorHandler;
import dev.peerbar.engine.Moves;
import java.lang.foreign.MemorySegment;

/**
 * Judges and carries out descriptors. For one engine's thread.
 *
 * <p>A descriptor is bad (error 1) if its opcode or a flag is unknown, its last 8 bytes are not
 * zero, its length is 2^63 or more, an IOVA range of it wraps around the end of the address space,
 * an immediate is not 4 or 8 bytes long, or source and destination of a copy overlap. A range
 * beyond the memory is error 4. Either way nothing is moved. Flags and addresses that an opcode has
 * no use for are ignored. The last piece of a fill may be a part of the pattern.
 *
 * <p>A record that cannot be written turns success into a fault; a failure stays what it was.
 */
final class DescriptorExecutor implements DescriptorHandler<Failure> {
  private final Moves moves;
  private final CompletionRecord completion = new CompletionRecord();

  // The descriptor under way: one at a time, so that nothing is allocated for it.
  private MemorySegment descriptor;
  private long offset;
  private int flags;
  private long result;

  /**
   * @param memory behind BAR 2
   */
  DescriptorExecutor(MemorySegment memory) {
    moves = new Moves(memory);
  }

  @Override
  public Failure of(DmaFaultException fault) {
    return Failure.of(fault);
  }

  @Override
  public Failure broken() {
    return Failure.BROKEN;
  }

  @Override
  public Failure execute(Dma dma, MemorySegment fetched, long at, long iova)
      throws DmaFaultException, JobEndedException {
    descriptor = fetched;
    offset = at;
    flags = fetched.get(Descriptor.INT, at + Descriptor.FLAGS);
    result = 0;
    moves.begin();
    Opcode opcode = Opcode.of(fetched.get(Descriptor.INT, at + Descriptor.OPCODE));
    long source = field(Descriptor.SOURCE);
    long destination = field(Descriptor.DESTINATION);
    long length = field(Descriptor.LENGTH);
    ErrorCode verdict =
        opcode == null ? ErrorCode.BAD_DESCRIPTOR : judge(opcode, source, destination, length);
    if (verdict != ErrorCode.NONE) {
      return new Failure(verdict, 0);
    }
    boolean fromLocal = has(Descriptor.SOURCE_IS_LOCAL);
    boolean toLocal = has(Descriptor.DESTINATION_IS_LOCAL);
    switch (opcode) {
      case NOP -> {}
      case COPY -> moves.copy(dma, fromLocal, source, toLocal, destination, length);
      case FILL -> moves.fill(dma, toLocal, destination, length, field(Descriptor.PATTERN));
      case CRC32C -> result = moves.crc32c(dma, fromLocal, source, length);
      case WRITE_IMMEDIATE ->
          moves.immediate(dma, toLocal, destination, (int) length, field(Descriptor.PATTERN));
    }
    return null;
  }

  /** The same each time: what was fetched is nobody else's. */
  private long field(long at) {
    return descriptor.get(Descriptor.LONG, offset + at);
  }

  private boolean has(int flag) {
    return (flags & flag) != 0;
  }

  @Override
  public void complete(Dma dma, Failure failure) throws DmaFaultException, JobEndedException {
    if (!has(Descriptor.WRITE_RECORD) || recordWraps()) {
      return;
    }
    ErrorCode error = failure == null ? ErrorCode.NONE : failure.error();
    completion.write(
        dma, field(Descriptor.RECORD), error, moves.moved(), result, field(Descriptor.TAG));
  }

  @Override
  public boolean interrupts() {
    return has(Descriptor.INTERRUPT);
  }

  private boolean recordWraps() {
    return Moves.wraps(field(Descriptor.RECORD), CompletionRecord.BYTES);
  }

  private ErrorCode judge(Opcode opcode, long source, long destination, long length) {
    boolean wellFormed =
        (flags & ~Descriptor.ALL_FLAGS) == 0
            && field(Descriptor.RESERVED) == 0
            && length >= 0
            && (opcode != Opcode.WRITE_IMMEDIATE || isWordLength(length))
            && (opcode != Opcode.COPY || !overlaps(source, destination, length))
            && !(has(Descriptor.WRITE_RECORD) && recordWraps());
    if (!wellFormed) {
      return ErrorCode.BAD_DESCRIPTOR;
    }
    ErrorCode verdict =
        opcode.reads() ? judgeRange(Descriptor.SOURCE_IS_LOCAL, source, length) : ErrorCode.NONE;
    if (verdict != ErrorCode.NONE || !opcode.writes()) {
      return verdict;
    }
    return judgeRange(Descriptor.DESTINATION_IS_LOCAL, destination, length);
  }

  private ErrorCode judgeRange(int isLocal, long address, long length) {
    if (has(isLocal)) {
      return moves.inside(address, length) ? ErrorCode.NONE : ErrorCode.OUTSIDE_MEMORY;
    }
    return Moves.wraps(address, length) ? ErrorCode.BAD_DESCRIPTOR : ErrorCode.NONE;
  }

  private static boolean isWordLength(long length) {
    return length == Integer.BYTES || length == Long.BYTES;
  }

  /** Two pieces of IOVA space or of the memory; a mapping may still alias the one to the other. */
  private boolean overlaps(long source, long destination, long length) {
    boolean sameSpace = has(Descriptor.SOURCE_IS_LOCAL) == has(Descriptor.DESTINATION_IS_LOCAL);
    return sameSpace
        && (Long.compareUnsigned(destination - source, length) < 0
            || Long.compareUnsigned(source - destination, length) < 0);
  }
}
