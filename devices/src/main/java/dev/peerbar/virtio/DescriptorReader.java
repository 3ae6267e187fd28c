package dev.peerbar.virtio;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Moves;
import dev.peerbar.engine.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Reads chains of descriptors and judges them (Virtual I/O Device 1.3, 2.7.5). Each descriptor is
 * read once: a driver that changes it afterwards changes nothing. For the engine's thread.
 *
 * <p>A chain in the table of the queue is as long as the queue at most (2.7.5.3.1). One in an
 * indirect table may be longer, up to {@link #MOST_INDIRECT}: Linux bounds the former only, and
 * virtio-gpu for one makes long ones. A device may limit what it takes (2.7.4.1).
 */
final class DescriptorReader {
  /** The descriptors that an indirect table may have, or as many as the queue if it has more. */
  static final int MOST_INDIRECT = 1024;

  private static final long MOST_BYTES = 1L << 32;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int mostIndirect;
  private final MemorySegment descriptor = Scratch.allocate(SplitRing.DESCRIPTOR_BYTES);
  private final Scratch indirectTable;

  // The descriptor that was looked at last.
  private long address;
  private long length;
  private int flags;
  private int next;

  /**
   * @param most descriptors of the queue, before its driver makes it smaller
   */
  DescriptorReader(int most) {
    mostIndirect = Math.max(most, MOST_INDIRECT);
    indirectTable = new Scratch((long) mostIndirect * SplitRing.DESCRIPTOR_BYTES);
  }

  /**
   * Reads a chain.
   *
   * @param table the IOVA of the queue's table
   * @param size of the queue
   * @param indirect whether INDIRECT_DESC was negotiated
   * @param request given the buffers; its head is within the queue
   * @throws DmaFaultException if a descriptor cannot be read
   */
  void read(Job job, long table, int size, boolean indirect, RingRequest request)
      throws DmaFaultException, JobEndedException, MalformedRingException {
    int at = request.head();
    for (int count = 0; count < size; count++) {
      job.dma().read(table + SplitRing.descriptorBytes(at), descriptor);
      decode(descriptor, 0);
      if ((flags & SplitRing.F_INDIRECT) != 0) {
        if (!indirect) {
          throw new MalformedRingException("An indirect table, which was not negotiated.");
        }
        if ((flags & SplitRing.F_NEXT) != 0) {
          throw new MalformedRingException("A descriptor with an indirect table and a next one.");
        }
        readIndirect(job, request);
        return;
      }
      add(request);
      if ((flags & SplitRing.F_NEXT) == 0) {
        return;
      }
      if (next >= size) {
        throw new MalformedRingException("A next descriptor beyond the table.");
      }
      at = next;
    }
    throw new MalformedRingException("A chain that is longer than the queue.");
  }

  /** The table that {@link #descriptor} tells of. Its F_WRITE is to be ignored (2.7.5.3.2). */
  private void readIndirect(Job job, RingRequest request)
      throws DmaFaultException, JobEndedException, MalformedRingException {
    if (length == 0 || length % SplitRing.DESCRIPTOR_BYTES != 0) {
      throw new MalformedRingException("An indirect table that is no number of descriptors.");
    }
    checkWraps();
    int entries = (int) Math.min(length / SplitRing.DESCRIPTOR_BYTES, mostIndirect);
    MemorySegment table = indirectTable.first(SplitRing.descriptorBytes(entries));
    job.dma().read(address, table);
    int at = 0;
    for (int count = 0; count < entries; count++) {
      decode(table, SplitRing.descriptorBytes(at));
      if ((flags & SplitRing.F_INDIRECT) != 0) {
        throw new MalformedRingException("An indirect table in another one.");
      }
      add(request);
      if ((flags & SplitRing.F_NEXT) == 0) {
        return;
      }
      if (next >= entries) {
        throw new MalformedRingException(
            "A next descriptor beyond the indirect table, or of more than are allowed.");
      }
      at = next;
    }
    throw new MalformedRingException("A chain that goes round in an indirect table.");
  }

  private void decode(MemorySegment from, long offset) {
    address = from.get(LONG, offset + SplitRing.ADDRESS);
    length = Integer.toUnsignedLong(from.get(INT, offset + SplitRing.LENGTH));
    flags = from.get(SHORT, offset + SplitRing.FLAGS);
    next = Short.toUnsignedInt(from.get(SHORT, offset + SplitRing.NEXT));
  }

  private void add(RingRequest request) throws MalformedRingException {
    if (length == 0) {
      throw new MalformedRingException("A buffer without a byte.");
    }
    checkWraps();
    // 2.7.5.2.
    if (length > MOST_BYTES - request.readable() - request.writable()) {
      throw new MalformedRingException("A chain of more than 2^32 bytes.");
    }
    if ((flags & SplitRing.F_WRITE) != 0) {
      request.addWritable(address, length);
    } else if (request.hasWritable()) {
      // 2.7.4.2.
      throw new MalformedRingException("A buffer to read behind one to write.");
    } else {
      request.addReadable(address, length);
    }
  }

  private void checkWraps() throws MalformedRingException {
    if (Moves.wraps(address, length)) {
      throw new MalformedRingException("A buffer beyond the end of the address space.");
    }
  }
}
