package dev.peerbar.engine;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;

/** Descriptors in an array that is gone through again and again; several are fetched at a time. */
public final class Ring implements DescriptorSource {
  private final long base;
  private final int entries;
  private final int descriptorBytes;
  private int next;
  private long fetched;

  /**
   * @param base IOVA of the first entry; the ring does not wrap around the end of the address space
   * @param entries a power of two
   * @param descriptorBytes of each entry
   * @param first index of the entry to begin with
   */
  public Ring(long base, int entries, int descriptorBytes, int first) {
    this.base = base;
    this.entries = entries;
    this.descriptorBytes = descriptorBytes;
    next = first;
  }

  /** Up to the end of what is valid, of the ring or of the room. */
  @Override
  public int fetch(Dma dma, FetchBuffer into, int most)
      throws DmaFaultException, JobEndedException {
    int count = Math.min(Math.min(most, entries - next), into.capacity());
    fetched = base + (long) next * descriptorBytes;
    try {
      dma.read(fetched, into.first(count));
    } catch (DmaFaultException fault) {
      // What came whole is carried out first: the channel is to stop at what cannot be read.
      count = (int) (fault.transferred() / descriptorBytes);
      if (count == 0) {
        throw fault;
      }
    }
    next = next + count & entries - 1;
    return count;
  }

  @Override
  public long iova(int index) {
    return fetched + (long) index * descriptorBytes;
  }
}
