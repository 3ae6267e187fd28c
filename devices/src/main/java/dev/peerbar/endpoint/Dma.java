package dev.peerbar.endpoint;

import java.lang.foreign.MemorySegment;

/**
 * Bus mastering by one job. For the engine's thread.
 *
 * <p>Addresses are IOVAs, unsigned. A range may cross any number of the client's mappings, of
 * memory shared with this process or not. Bytes before the fault of a failed transfer have been
 * moved. Transfers by one job happen in the order of the calls; a naturally aligned transfer of 4
 * or 8 bytes is not torn.
 *
 * <p>The segments are lent for the length of a call: nothing touches them once it has returned or
 * thrown, whatever became of it.
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
   * Writes client memory.
   *
   * @throws DmaFaultException if a byte cannot be written
   * @throws JobEndedException if the job ended before all was written
   */
  void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException;

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
}
