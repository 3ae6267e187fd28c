package dev.peerbar.lab.uapi;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * {@code struct vfio_irq_set} with eventfds, or with no data to take a kind of interrupt away.
 *
 * @param irq which kind
 * @param start first vector
 * @param eventFds a file descriptor a vector, -1 for none; empty disables all vectors of the kind
 */
public record VfioIrqSet(VfioPciIrq irq, int start, List<Integer> eventFds) {
  private static final int HEADER = 20;
  private static final int DATA_NONE = 1;
  private static final int DATA_EVENTFD = 1 << 2;
  private static final int ACTION_TRIGGER = 1 << 5;

  public VfioIrqSet {
    eventFds = List.copyOf(eventFds);
  }

  /** The argument that takes every vector of a kind away. */
  public static VfioIrqSet none(VfioPciIrq irq) {
    return new VfioIrqSet(irq, 0, List.of());
  }

  public byte[] encode() {
    int size = HEADER + Integer.BYTES * eventFds.size();
    ByteBuffer b = Structs.allocate(size);
    b.putInt(size)
        .putInt((eventFds.isEmpty() ? DATA_NONE : DATA_EVENTFD) | ACTION_TRIGGER)
        .putInt(irq.index())
        .putInt(start)
        .putInt(eventFds.size());
    eventFds.forEach(b::putInt);
    return b.array();
  }
}
