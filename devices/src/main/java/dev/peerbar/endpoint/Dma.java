package dev.peerbar.endpoint;

import java.lang.foreign.MemorySegment;

/**
 * Bus mastering by one job. For the engine's thread.
 *
 * <p>Addresses are IOVAs, unsigned. A range may cross any number of the client's mappings, of
 * memory shared with this process or not. Bytes before the fault of a failed transfer have been
 * moved.
 *
 * <p>The segments are lent for the length of a call: nothing touches them once it has returned or
 * thrown, whatever became of it.
 *
 * <p>What others see of it, whatever kind of memory it is:
 *
 * <ul>
 *   <li>Transfers by one job happen in the order of the calls: a flag that is written by a call of
 *       its own comes after all that was written before. Within one call there is no order.
 *   <li>A naturally aligned transfer of 4 or 8 bytes is not torn. One exception: memory that a
 *       client may take away is copied by the kernel, and one for a processor without fast short
 *       moves (x86-64 before FSRM) stores 4 bytes from the lowest to the highest. So what somebody
 *       looks at while it changes is a flag in the lowest byte, or a word that is compared and
 *       looked at again.
 * </ul>
 */
public interface Dma {

  /**
   * Reads client memory.
   *
   * @throws DmaFaultException if a byte cannot be read
   * @throws JobEndedException if the job ended before all was read
   */
  void read(long iova, MemorySegment into) throws DmaFaultException, JobEndedException;

  /**
   * Reads client memory to see whether anything has changed there, again and again: as {@link
   * #read(long, MemorySegment)}, but nobody who follows transfers is told of it.
   */
  default void look(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
    read(iova, into);
  }

  /**
   * Writes client memory.
   *
   * @throws DmaFaultException if a byte cannot be written
   * @throws JobEndedException if the job ended before all was written
   */
  void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException;

  /**
   * Reads client memory to a part of a segment: as {@link #read(long, MemorySegment)}, which makes
   * an object of each part.
   *
   * @param offset of the part, in bytes
   * @param length of it, in bytes
   */
  default void read(long iova, MemorySegment into, long offset, long length)
      throws DmaFaultException, JobEndedException {
    read(iova, into.asSlice(offset, length));
  }

  /**
   * Writes a part of a segment to client memory, as {@link #read(long, MemorySegment, long, long)}.
   */
  default void write(long iova, MemorySegment from, long offset, long length)
      throws DmaFaultException, JobEndedException {
    write(iova, from.asSlice(offset, length));
  }

  /**
   * Writes client memory, and a flag in it last: who sees that sees the rest. As two calls of
   * {@link #write(long, MemorySegment)}, for less.
   *
   * @param flagOffset of the flag in the segment, 0 or such that it is at the end
   * @param flagBytes of the flag, at most as many as the segment has
   * @throws DmaFaultException if a byte cannot be written; the flag is not, then
   * @throws JobEndedException if the job ended before; the flag is not written, then
   */
  default void writeFlagged(long iova, MemorySegment from, long flagOffset, long flagBytes)
      throws DmaFaultException, JobEndedException {
    long rest = from.byteSize() - flagBytes;
    long restOffset = flagOffset == 0 ? flagBytes : 0;
    if (rest > 0) {
      write(iova + restOffset, from, restOffset, rest);
    }
    write(iova + flagOffset, from, flagOffset, flagBytes);
  }

  /**
   * Copies client memory to client memory, ascending. The ranges may be anywhere but must not
   * overlap.
   *
   * @param length in bytes, not negative
   * @throws DmaFaultException for the first byte that cannot be read or written
   * @throws JobEndedException if the job ended before all was copied
   */
  void copy(long fromIova, long toIova, long length) throws DmaFaultException, JobEndedException;

  /**
   * Copies within the endpoint's own memory, in pieces short enough for a reset to wait for.
   *
   * @throws JobEndedException if the job ended before all was copied
   */
  void local(MemorySegment from, MemorySegment to) throws JobEndedException;

  /**
   * Whether bytes of a range can be moved by messages or by waiting for a disk only, as far as they
   * can be at all. In {@linkplain Engine.Polled polled work} that is so until it returns; elsewhere
   * it may have changed.
   */
  default boolean mayWait(long iova, long length) {
    return false;
  }

  /**
   * What follows, of which no single call says so, takes long altogether.
   *
   * @throws MustWaitException in {@linkplain Engine.Polled polled work}
   */
  default void takesLong() throws JobEndedException {}
}
