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
 */
public final class Chain implements DescriptorSource {
  private final int linkOffset;

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

  /** One at a time: what lies beside a descriptor may be anything. */
  @Override
  public int fetch(Dma dma, FetchBuffer into, int most)
      throws DmaFaultException, BadLinkException, JobEndedException {
    if (!linked) {
      dma.read(last + linkOffset, into.link());
      next = into.getLong(0);
    }
    if (next == 0 || (next & into.descriptorBytes() - 1) != 0) {
      throw new BadLinkException(next);
    }
    dma.read(next, into.first(1));
    last = next;
    next = into.getLong(linkOffset);
    linked = most > 1;
    return 1;
  }

  @Override
  public long iova(int index) {
    return last;
  }
}
