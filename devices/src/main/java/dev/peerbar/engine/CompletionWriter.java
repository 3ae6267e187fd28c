package dev.peerbar.engine;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;

/**
 * Writes completions: first the body, then the flag by which a driver knows that the body is there.
 * For one engine's thread.
 */
public final class CompletionWriter {
  private final MemorySegment entry;
  private final long flagOffset;
  private final long flagBytes;

  /**
   * @param bytes of a completion
   * @param flagOffset of the flag in it: 0, or such that the flag is at its end
   * @param flagBytes of the flag, 4 or 8 for one that is never seen half written; as long as the
   *     completion if there is no body
   * @throws IllegalArgumentException if the flag is amid the body
   */
  public CompletionWriter(long bytes, long flagOffset, long flagBytes) {
    if (flagOffset < 0 || flagOffset != 0 && flagOffset + flagBytes != bytes) {
      throw new IllegalArgumentException(
          "A flag of %d bytes at %d is at no end of %d bytes."
              .formatted(flagBytes, flagOffset, bytes));
    }
    this.flagOffset = flagOffset;
    this.flagBytes = flagBytes;
    entry = Scratch.allocate(bytes);
  }

  /** What is written next, to be filled in: it holds the completion before. */
  public MemorySegment entry() {
    return entry;
  }

  /**
   * Writes {@link #entry} to client memory.
   *
   * @throws DmaFaultException if it cannot all be written; the flag is not, then
   * @throws JobEndedException if the job ended before; the flag is not written, then
   */
  public void write(Dma dma, long iova) throws DmaFaultException, JobEndedException {
    dma.writeFlagged(iova, entry, flagOffset, flagBytes);
  }
}
