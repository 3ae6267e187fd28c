package dev.peerbar.virtio;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;

/**
 * Buffers one behind another, as if they were one. Whoever adds them has checked them. For the
 * engine's thread.
 */
final class BufferList {
  private static final int FIRST_ROOM = 4;

  private long[] iovas = new long[FIRST_ROOM];

  /** Where each ends, counted from the first byte of all. */
  private long[] ends = new long[FIRST_ROOM];

  private int count;

  /** The buffer that was looked into last: the next transfer goes on there or behind. */
  private int last;

  void clear() {
    count = 0;
    last = 0;
  }

  /**
   * @param length in bytes, at least 1
   */
  void add(long iova, long length) {
    if (count == iovas.length) {
      iovas = Arrays.copyOf(iovas, 2 * count);
      ends = Arrays.copyOf(ends, 2 * count);
    }
    ends[count] = length() + length;
    iovas[count++] = iova;
  }

  boolean isEmpty() {
    return count == 0;
  }

  /** Of all together, in bytes. */
  long length() {
    return count == 0 ? 0 : ends[count - 1];
  }

  /**
   * @throws IndexOutOfBoundsException if there is not so much
   */
  void read(Dma dma, long offset, MemorySegment into) throws DmaFaultException, JobEndedException {
    move(dma, offset, into, false);
  }

  /**
   * @throws IndexOutOfBoundsException if there is not so much room
   */
  void write(Dma dma, long offset, MemorySegment from) throws DmaFaultException, JobEndedException {
    move(dma, offset, from, true);
  }

  private void move(Dma dma, long offset, MemorySegment own, boolean out)
      throws DmaFaultException, JobEndedException {
    long bytes = own.byteSize();
    Objects.checkFromIndexSize(offset, bytes, length());
    for (long done = 0; done < bytes; ) {
      long at = offset + done;
      seek(at);
      long piece = Math.min(bytes - done, ends[last] - at);
      long iova = iovas[last] + (at - start(last));
      MemorySegment part = piece == bytes ? own : own.asSlice(done, piece);
      if (out) {
        dma.write(iova, part);
      } else {
        dma.read(iova, part);
      }
      done += piece;
    }
  }

  private long start(int index) {
    return index == 0 ? 0 : ends[index - 1];
  }

  private void seek(long offset) {
    if (offset < start(last)) {
      last = 0;
    }
    while (ends[last] <= offset) {
      last++;
    }
  }
}
