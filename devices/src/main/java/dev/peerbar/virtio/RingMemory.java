package dev.peerbar.virtio;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Moves the fields of rings, with memory that is the same from a queue's first ring to its last.
 * For the engine's thread.
 */
final class RingMemory {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment word = Scratch.allocate(Short.BYTES);
  private final MemorySegment usedEntry = Scratch.allocate(SplitRing.USED_ENTRY_BYTES);

  /** Reads 16 bits that nobody writes meanwhile, or of which any value may be read. */
  int word(Job job, long iova) throws DmaFaultException, JobEndedException {
    job.dma().read(iova, word);
    return Short.toUnsignedInt(word.get(SHORT, 0));
  }

  /** Reads 16 bits until they are the same twice: not every memory is read without a tear. */
  int changingWord(Job job, long iova) throws DmaFaultException, JobEndedException {
    int last = word(job, iova);
    while (true) {
      int value = word(job, iova);
      if (value == last) {
        return value;
      }
      last = value;
    }
  }

  void putWord(Job job, long iova, int value) throws DmaFaultException, JobEndedException {
    word.set(SHORT, 0, (short) value);
    job.dma().write(iova, word);
  }

  /**
   * Writes an entry of a used ring (Virtual I/O Device 1.3, 2.7.8).
   *
   * @param length unsigned 32 bits
   */
  void putUsedEntry(Job job, long iova, int head, int length)
      throws DmaFaultException, JobEndedException {
    usedEntry.set(INT, 0, head);
    usedEntry.set(INT, Integer.BYTES, length);
    job.dma().write(iova, usedEntry);
  }
}
