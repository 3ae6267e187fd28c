package dev.peerbar.engine;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;

/**
 * Descriptors anywhere in client memory, each of which has the IOVA of the next one.
 *
 * <p>What a guest can make of it is bounded by what its driver has said is valid, whatever the
 * links are: a chain that bites its tail is gone through as long as that, and a job of its ends
 * between two descriptors as any other. A link is followed only if another descriptor is valid, so
 * that the last one's may hold anything; it is read again once there is more, so that a driver
 * appends by writing it first and then saying so, even while that descriptor is carried out. A link
 * of zero, or one that is not a multiple of a descriptor's size, leads nowhere.
 *
 * <p>Drivers make their chains of arrays. So a link to the descriptor behind is taken for a sign
 * that more of them follow there, which are read together with it, within a page. They are
 * descriptors as far as each is what the one before links to; what else was read is forgotten.
 */
public final class Chain implements DescriptorSource {
  /**
   * What is mapped, and may be read, as a whole: beyond, there may be nothing, or something else.
   */
  private static final int PAGE = 4096;

  private final int linkOffset;

  // Those that were fetched last.
  private long fetched;
  private int descriptorBytes;

  /** The descriptor that was fetched last, or that the chain goes on after. */
  private long last;

  private long next;

  /** Whether {@link #next} is known: it was read when there was another valid descriptor. */
  private boolean linked;

  private Chain(int linkOffset, long last, long next, boolean linked) {
    this.linkOffset = linkOffset;
    this.last = last;
    this.next = next;
    this.linked = linked;
  }

  /**
   * A chain from its first descriptor on.
   *
   * @param first IOVA, judged as a link is when it is fetched
   * @param linkOffset of the link in a descriptor, a multiple of 8
   */
  public static Chain from(long first, int linkOffset) {
    return new Chain(linkOffset, 0, first, true);
  }

  /**
   * A chain from the descriptor that another one links to on.
   *
   * @param last IOVA of the other one, which was carried out
   * @param linkOffset of the link in a descriptor, a multiple of 8
   */
  public static Chain after(long last, int linkOffset) {
    return new Chain(linkOffset, last, 0, false);
  }

  /** As many as are valid, lie one behind another in a page, and link to each other. */
  @Override
  public int fetch(Dma dma, FetchBuffer into, int most)
      throws DmaFaultException, BadLinkException, JobEndedException {
    if (!linked) {
      dma.read(last + linkOffset, into.link());
      next = into.getLong(0);
    }
    descriptorBytes = into.descriptorBytes();
    if (next == 0 || (next & descriptorBytes - 1) != 0) {
      throw new BadLinkException(next);
    }
    int read = read(dma, into, next == last + descriptorBytes ? most : 1);
    fetched = next;
    int count = 0;
    do {
      last = next;
      next = into.getLong((long) count * descriptorBytes + linkOffset);
      count++;
    } while (count < read && next == last + descriptorBytes);
    linked = most > count;
    return count;
  }

  /** Reads the next descriptor, and what lies behind it. Returns how many came whole. */
  private int read(Dma dma, FetchBuffer into, int most)
      throws DmaFaultException, JobEndedException {
    int inPage = (int) (PAGE - (next & PAGE - 1)) / descriptorBytes;
    int count = Math.clamp(inPage, 1, Math.min(most, into.capacity()));
    try {
      dma.read(next, into.first(count));
      return count;
    } catch (DmaFaultException fault) {
      // The channel is to stop at what cannot be read, and only if a link leads there.
      int whole = (int) (fault.transferred() / descriptorBytes);
      if (whole == 0) {
        throw fault;
      }
      return whole;
    }
  }

  @Override
  public long iova(int index) {
    return fetched + (long) index * descriptorBytes;
  }
}
