package dev.peerbar.engine;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * Moves bytes between client memory and the endpoint's own, and counts them. For one engine's
 * thread.
 *
 * <p>A place is local, and its address an offset in the endpoint's memory, or it is an IOVA. Ranges
 * are the caller's to judge, before anything is moved: {@link #wraps} and {@link #inside} say
 * whether one is possible.
 */
public final class Moves {
  private static final int PIECE_BYTES = 256 << 10;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment memory;
  private final Scratch scratch = new Scratch(PIECE_BYTES);
  private final CRC32C crc = new CRC32C();
  private ByteBuffer scratchBytes;
  private long moved;

  /**
   * @param memory the endpoint's own, {@link MemorySegment#NULL} if it has none
   */
  public Moves(MemorySegment memory) {
    this.memory = memory;
  }

  /** Begins to count anew. */
  public void begin() {
    moved = 0;
  }

  /** Bytes moved since {@link #begin}, to the last or up to the fault. */
  public long moved() {
    return moved;
  }

  /**
   * Whether the last byte of a range of IOVAs is beyond the end of the address space.
   *
   * @param length in bytes, not negative
   */
  public static boolean wraps(long iova, long length) {
    return length > 0 && Long.compareUnsigned(iova + (length - 1), iova) < 0;
  }

  /**
   * Whether a range is inside the endpoint's memory.
   *
   * @param length in bytes, not negative
   */
  public boolean inside(long offset, long length) {
    return Long.compareUnsigned(offset, memory.byteSize()) <= 0
        && length <= memory.byteSize() - offset;
  }

  /** Copies; the ranges do not overlap. */
  public void copy(Dma dma, boolean fromLocal, long from, boolean toLocal, long to, long length)
      throws DmaFaultException, JobEndedException {
    try {
      if (fromLocal && toLocal) {
        dma.local(memory.asSlice(from, length), memory.asSlice(to, length));
      } else if (fromLocal) {
        dma.write(to, memory.asSlice(from, length));
      } else if (toLocal) {
        dma.read(from, memory.asSlice(to, length));
      } else {
        dma.copy(from, to, length);
      }
      moved += length;
    } catch (DmaFaultException fault) {
      throw counted(fault);
    }
  }

  private DmaFaultException counted(DmaFaultException fault) {
    moved += fault.transferred();
    return fault;
  }

  /** Fills a range with a pattern of 8 bytes, little-endian, of which the last may be cut. */
  public void fill(Dma dma, boolean local, long to, long length, long pattern)
      throws DmaFaultException, JobEndedException {
    if (length > PIECE_BYTES) {
      dma.takesLong();
    }
    MemorySegment piece = scratch.first(PIECE_BYTES);
    for (long at = 0; at < Math.min(length, PIECE_BYTES); at += Long.BYTES) {
      piece.set(LONG, at, pattern);
    }
    for (long done = 0; done < length; ) {
      long bytes = Math.min(length - done, PIECE_BYTES);
      put(dma, local, to + done, piece.asSlice(0, bytes));
      done += bytes;
    }
  }

  /**
   * Writes a value, little-endian.
   *
   * @param bytes how many of it, from the lowest: 4 or 8 for what is never seen half written
   */
  public void immediate(Dma dma, boolean local, long to, int bytes, long value)
      throws DmaFaultException, JobEndedException {
    fill(dma, local, to, bytes, value);
  }

  private void put(Dma dma, boolean local, long to, MemorySegment piece)
      throws DmaFaultException, JobEndedException {
    try {
      if (local) {
        dma.local(piece, memory.asSlice(to, piece.byteSize()));
      } else {
        dma.write(to, piece);
      }
      moved += piece.byteSize();
    } catch (DmaFaultException fault) {
      throw counted(fault);
    }
  }

  /**
   * The CRC32C (Castagnoli) of a range, taken over private copies: a client may change what it
   * shares, or take it away, while the sum is being computed.
   *
   * @return from 0 to 2^32 - 1
   */
  public long crc32c(Dma dma, boolean local, long from, long length)
      throws DmaFaultException, JobEndedException {
    if (length > PIECE_BYTES) {
      dma.takesLong();
    }
    crc.reset();
    for (long done = 0; done < length; ) {
      int bytes = (int) Math.min(length - done, PIECE_BYTES);
      get(dma, local, from + done, scratch.first(bytes));
      if (scratchBytes == null) {
        scratchBytes = scratch.first(PIECE_BYTES).asByteBuffer();
      }
      crc.update(scratchBytes.clear().limit(bytes));
      done += bytes;
    }
    return crc.getValue();
  }

  private void get(Dma dma, boolean local, long from, MemorySegment piece)
      throws DmaFaultException, JobEndedException {
    try {
      if (local) {
        dma.local(memory.asSlice(from, piece.byteSize()), piece);
      } else {
        dma.read(from, piece);
      }
      moved += piece.byteSize();
    } catch (DmaFaultException fault) {
      throw counted(fault);
    }
  }
}
