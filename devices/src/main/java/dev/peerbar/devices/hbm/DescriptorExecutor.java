package dev.peerbar.devices.hbm;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * Judges and carries out descriptors. For one engine's thread.
 *
 * <p>A descriptor is bad (error 1) if its opcode or a flag is unknown, its last 8 bytes are not
 * zero, its length is 2^63 or more, an IOVA range of it wraps around the end of the address space,
 * an immediate is not 4 or 8 bytes long, or source and destination of a copy overlap. A range
 * beyond the memory is error 4. Either way nothing is moved. Flags and addresses that an opcode has
 * no use for are ignored. The last piece of a fill may be a part of the pattern.
 */
final class DescriptorExecutor {
  private static final int SCRATCH_BYTES = 256 << 10;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment memory;
  private final MemorySegment scratch;
  private final ByteBuffer scratchBytes;
  private final CompletionRecord record;

  /** Bytes of the current descriptor moved by earlier calls than the one under way. */
  private long moved;

  /**
   * @param memory behind BAR 2
   */
  DescriptorExecutor(MemorySegment memory, Arena arena) {
    this.memory = memory;
    scratch = arena.allocate(SCRATCH_BYTES, Long.BYTES);
    scratchBytes = scratch.asByteBuffer();
    record = new CompletionRecord(arena);
  }

  /**
   * Carries out a descriptor and writes its completion record if it asks for one.
   *
   * <p>A record that cannot be written turns success into a fault; a failure stays what it was.
   *
   * <p>What moving may throw, by a mistake or for want of memory, is thrown on once the record says
   * so: whoever polls the record is to learn of it too.
   */
  Outcome execute(Dma dma, Descriptor descriptor) throws JobEndedException {
    Outcome outcome;
    try {
      outcome = move(dma, descriptor);
    } catch (RuntimeException | Error e) {
      try {
        record(dma, descriptor, new Outcome.Failed(ErrorCode.ABORTED, 0, moved));
      } catch (JobEndedException | RuntimeException | Error second) {
        e.addSuppressed(second);
      }
      throw e;
    }
    return record(dma, descriptor, outcome);
  }

  /** Writes the completion record, if one is asked for. Returns what became of the descriptor. */
  private Outcome record(Dma dma, Descriptor descriptor, Outcome outcome) throws JobEndedException {
    if (!descriptor.has(Descriptor.WRITE_RECORD)
        || wraps(descriptor.record(), CompletionRecord.BYTES)) {
      return outcome;
    }
    try {
      record.write(dma, descriptor.record(), outcome, descriptor.tag());
      return outcome;
    } catch (DmaFaultException fault) {
      return switch (outcome) {
        case Outcome.Failed failed -> failed;
        case Outcome.Done done ->
            new Outcome.Failed(ErrorCode.of(fault), fault.iova(), done.moved());
      };
    }
  }

  private Outcome move(Dma dma, Descriptor descriptor) throws JobEndedException {
    moved = 0;
    Opcode opcode = Opcode.of(descriptor.opcode()).orElse(null);
    if (opcode == null) {
      return new Outcome.Failed(ErrorCode.BAD_DESCRIPTOR, 0, 0);
    }
    ErrorCode verdict = judge(descriptor, opcode);
    if (verdict != ErrorCode.NONE) {
      return new Outcome.Failed(verdict, 0, 0);
    }
    try {
      long result =
          switch (opcode) {
            case NOP -> 0;
            case COPY -> copy(dma, descriptor);
            case FILL, WRITE_IMMEDIATE -> fill(dma, descriptor);
            case CRC32C -> crc32c(dma, descriptor);
          };
      return new Outcome.Done(moved, result);
    } catch (DmaFaultException fault) {
      return new Outcome.Failed(ErrorCode.of(fault), fault.iova(), moved + fault.transferred());
    }
  }

  private ErrorCode judge(Descriptor descriptor, Opcode opcode) {
    boolean wellFormed =
        (descriptor.flags() & ~Descriptor.ALL_FLAGS) == 0
            && descriptor.reserved() == 0
            && descriptor.length() >= 0
            && (opcode != Opcode.WRITE_IMMEDIATE || isWordLength(descriptor.length()))
            && (opcode != Opcode.COPY || !overlaps(descriptor))
            && !(descriptor.has(Descriptor.WRITE_RECORD)
                && wraps(descriptor.record(), CompletionRecord.BYTES));
    if (!wellFormed) {
      return ErrorCode.BAD_DESCRIPTOR;
    }
    ErrorCode source =
        opcode.reads()
            ? judgeRange(
                descriptor.has(Descriptor.SOURCE_IS_LOCAL),
                descriptor.source(),
                descriptor.length())
            : ErrorCode.NONE;
    if (source != ErrorCode.NONE || !opcode.writes()) {
      return source;
    }
    return judgeRange(
        descriptor.has(Descriptor.DESTINATION_IS_LOCAL),
        descriptor.destination(),
        descriptor.length());
  }

  private ErrorCode judgeRange(boolean local, long address, long length) {
    if (local) {
      boolean inside =
          Long.compareUnsigned(address, memory.byteSize()) <= 0
              && length <= memory.byteSize() - address;
      return inside ? ErrorCode.NONE : ErrorCode.OUTSIDE_MEMORY;
    }
    return wraps(address, length) ? ErrorCode.BAD_DESCRIPTOR : ErrorCode.NONE;
  }

  private static boolean isWordLength(long length) {
    return length == Integer.BYTES || length == Long.BYTES;
  }

  /** Whether the last byte of a range is beyond the end of the address space. */
  static boolean wraps(long iova, long length) {
    return length > 0 && Long.compareUnsigned(iova + (length - 1), iova) < 0;
  }

  /** Two pieces of IOVA space or of the memory; a mapping may still alias the one to the other. */
  private static boolean overlaps(Descriptor descriptor) {
    boolean sameSpace =
        descriptor.has(Descriptor.SOURCE_IS_LOCAL)
            == descriptor.has(Descriptor.DESTINATION_IS_LOCAL);
    long length = descriptor.length();
    return sameSpace
        && (Long.compareUnsigned(descriptor.destination() - descriptor.source(), length) < 0
            || Long.compareUnsigned(descriptor.source() - descriptor.destination(), length) < 0);
  }

  private long copy(Dma dma, Descriptor descriptor) throws DmaFaultException, JobEndedException {
    long from = descriptor.source();
    long to = descriptor.destination();
    long length = descriptor.length();
    boolean fromLocal = descriptor.has(Descriptor.SOURCE_IS_LOCAL);
    boolean toLocal = descriptor.has(Descriptor.DESTINATION_IS_LOCAL);
    if (fromLocal && toLocal) {
      dma.local(memory.asSlice(from, length), memory.asSlice(to, length));
    } else if (fromLocal) {
      dma.write(to, memory.asSlice(from, length));
    } else if (toLocal) {
      dma.read(from, memory.asSlice(to, length));
    } else {
      dma.copy(from, to, length);
    }
    moved = length;
    return 0;
  }

  /** An immediate is the beginning of a fill. */
  private long fill(Dma dma, Descriptor descriptor) throws DmaFaultException, JobEndedException {
    long length = descriptor.length();
    for (long at = 0; at < Math.min(length, SCRATCH_BYTES); at += Long.BYTES) {
      scratch.set(LONG, at, descriptor.pattern());
    }
    while (moved < length) {
      MemorySegment piece = scratch.asSlice(0, Math.min(length - moved, SCRATCH_BYTES));
      long to = descriptor.destination() + moved;
      if (descriptor.has(Descriptor.DESTINATION_IS_LOCAL)) {
        dma.local(piece, memory.asSlice(to, piece.byteSize()));
      } else {
        dma.write(to, piece);
      }
      moved += piece.byteSize();
    }
    return 0;
  }

  /**
   * Takes the sum over private copies: a client may change what it shares, or take it away, while
   * the sum is being computed.
   */
  private long crc32c(Dma dma, Descriptor descriptor) throws DmaFaultException, JobEndedException {
    CRC32C crc = new CRC32C();
    while (moved < descriptor.length()) {
      int bytes = (int) Math.min(descriptor.length() - moved, SCRATCH_BYTES);
      MemorySegment piece = scratch.asSlice(0, bytes);
      long from = descriptor.source() + moved;
      if (descriptor.has(Descriptor.SOURCE_IS_LOCAL)) {
        dma.local(memory.asSlice(from, bytes), piece);
      } else {
        dma.read(from, piece);
      }
      crc.update(scratchBytes.slice(0, bytes));
      moved += bytes;
    }
    return crc.getValue();
  }
}
