package dev.peerbar.driver.virtio;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.virtio.SplitRing;
import dev.peerbar.virtio.VirtioFeature;
import java.io.IOException;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * A split virtqueue, as its driver has it (Virtual I/O Device 1.3, 2.7). For one thread at a time.
 *
 * <p>Requests are added, {@link #kick} makes them available, {@link #poll} tells which have been
 * used. What is wrong on purpose is written by {@link #descriptor}, {@link #offer} and {@link
 * #availableIndex(int)}.
 */
public final class Virtqueue {

  /**
   * A request that the device has given back.
   *
   * @param head its first descriptor, as {@link #add} returned it
   * @param written bytes
   */
  public record Used(int head, long written) {}

  private final VirtioDriver driver;
  private final int index;
  private final long notifyOffset;
  private final int size;
  private final DmaRange table;
  private final DmaRange available;
  private final DmaRange used;
  private final boolean events;
  private final Deque<Integer> free = new ArrayDeque<>();

  /** The descriptors of the request that begins at each. */
  private final int[][] chains;

  /** What will be in {@code avail.idx}, and what was there at the last kick: 16 bits. */
  private int added;

  private int kicked;

  /** The used entry that is looked at next: 16 bits. */
  private int next;

  private long notifications;

  Virtqueue(
      VirtioDriver driver,
      int index,
      long notifyOffset,
      int size,
      DmaRange table,
      DmaRange available,
      DmaRange used,
      long features) {
    this.driver = driver;
    this.index = index;
    this.notifyOffset = notifyOffset;
    this.size = size;
    this.table = table;
    this.available = available;
    this.used = used;
    events = (features & VirtioFeature.EVENT_IDX) != 0;
    chains = new int[size][];
    for (int descriptor = 0; descriptor < size; descriptor++) {
      free.add(descriptor);
    }
  }

  public int index() {
    return index;
  }

  /** How many descriptors it has. */
  public int size() {
    return size;
  }

  /** The descriptors. */
  public DmaRange table() {
    return table;
  }

  /** The driver's ring. */
  public DmaRange available() {
    return available;
  }

  /** The device's ring. */
  public DmaRange used() {
    return used;
  }

  /** How many descriptors no request has. */
  public int free() {
    return free.size();
  }

  /**
   * Adds a request of a descriptor for each buffer.
   *
   * @return the index of the first, by which {@link #poll} tells of it
   * @throws IllegalStateException if there are not so many descriptors
   */
  public int add(List<DmaRange> readable, List<DmaRange> writable) throws IOException {
    int count = readable.size() + writable.size();
    int[] chain = take(count);
    for (int i = 0; i < count; i++) {
      boolean last = i == count - 1;
      put(
          table,
          chain[i],
          buffer(readable, writable, i),
          i >= readable.size(),
          last ? -1 : chain[i + 1]);
    }
    offer(chain[0]);
    return chain[0];
  }

  /**
   * Adds a request of one descriptor, with one for each buffer in a table elsewhere.
   *
   * @param indirect where, 16 bytes for each
   */
  public int addIndirect(DmaRange indirect, List<DmaRange> readable, List<DmaRange> writable)
      throws IOException {
    int count = readable.size() + writable.size();
    for (int i = 0; i < count; i++) {
      boolean last = i == count - 1;
      put(indirect, i, buffer(readable, writable, i), i >= readable.size(), last ? -1 : i + 1);
    }
    int[] chain = take(1);
    descriptor(
        chain[0], indirect.iova(), count * SplitRing.DESCRIPTOR_BYTES, SplitRing.F_INDIRECT, 0);
    offer(chain[0]);
    return chain[0];
  }

  private static DmaRange buffer(List<DmaRange> readable, List<DmaRange> writable, int index) {
    return index < readable.size() ? readable.get(index) : writable.get(index - readable.size());
  }

  private int[] take(int count) {
    if (count > free.size()) {
      throw new IllegalStateException(
          "%d descriptors are wanted, and %d are free.".formatted(count, free.size()));
    }
    int[] chain = new int[count];
    for (int i = 0; i < count; i++) {
      chain[i] = free.remove();
    }
    chains[chain[0]] = chain;
    return chain;
  }

  private static void put(DmaRange into, int at, DmaRange buffer, boolean writes, int following)
      throws IOException {
    int flags = (writes ? SplitRing.F_WRITE : 0) | (following < 0 ? 0 : SplitRing.F_NEXT);
    descriptor(
        into, at, buffer.iova(), Math.toIntExact(buffer.length()), flags, Math.max(following, 0));
  }

  /** Writes a descriptor of the queue's table, whatever is in it. */
  public void descriptor(int at, long iova, int length, int flags, int following)
      throws IOException {
    descriptor(table, at, iova, length, flags, following);
  }

  /** Writes a descriptor of any table. */
  public static void descriptor(
      DmaRange into, int at, long iova, int length, int flags, int following) throws IOException {
    long offset = SplitRing.descriptorBytes(at);
    into.storeLong(offset + SplitRing.ADDRESS, iova);
    into.storeInt(offset + SplitRing.LENGTH, length);
    into.store(offset + SplitRing.FLAGS, AccessWidth.WORD, flags);
    into.store(offset + SplitRing.NEXT, AccessWidth.WORD, following);
  }

  /** Puts a chain into the available ring, whatever it is: the next {@link #kick} tells of it. */
  public void offer(int head) throws IOException {
    long slot = added & size - 1;
    available.store(
        SplitRing.AVAILABLE_RING + slot * SplitRing.AVAILABLE_ENTRY_BYTES, AccessWidth.WORD, head);
    added = added + 1 & SplitRing.INDEX_MASK;
  }

  /** Stores avail.idx, whatever it is. */
  public void availableIndex(int value) throws IOException {
    available.store(SplitRing.AVAILABLE_INDEX, AccessWidth.WORD, value);
  }

  /**
   * Makes available what has been added, and notifies unless the device wants none.
   *
   * @return whether it was notified
   */
  public boolean kick() throws IOException {
    availableIndex(added);
    int before = kicked;
    kicked = added;
    // The device stores avail_event or its flags, then loads avail.idx.
    VarHandle.fullFence();
    boolean wanted =
        events
            ? SplitRing.passed(load(used, SplitRing.availableEvent(size)), before, added)
            : (load(used, SplitRing.USED_FLAGS) & SplitRing.F_NO_NOTIFY) == 0;
    if (wanted) {
      ring();
    }
    return wanted;
  }

  /** Notifies the device, whether it wants that or not. */
  public void ring() throws IOException {
    notifications++;
    driver.notify(notifyOffset, index);
  }

  /** How often the device has been notified. */
  public long notifications() {
    return notifications;
  }

  /** Whether the driver wants interrupts; with EVENT_IDX the device does not ask. */
  public void interrupts(boolean on) throws IOException {
    available.store(SplitRing.AVAILABLE_FLAGS, AccessWidth.WORD, on ? 0 : SplitRing.F_NO_INTERRUPT);
  }

  /** Asks for an interrupt with the used entry of an index, 16 bits; for EVENT_IDX. */
  public void usedEvent(int value) throws IOException {
    available.store(SplitRing.usedEvent(size), AccessWidth.WORD, value);
  }

  /** The used entry that is looked at next: 16 bits. */
  public int next() {
    return next;
  }

  /** Takes a request back, if the device has used one. */
  public Optional<Used> poll() throws IOException {
    if (load(used, SplitRing.USED_INDEX) == next) {
      return Optional.empty();
    }
    long entry = SplitRing.USED_RING + (long) (next & size - 1) * SplitRing.USED_ENTRY_BYTES;
    int head = used.loadInt(entry);
    long written = Integer.toUnsignedLong(used.loadInt(entry + Integer.BYTES));
    next = next + 1 & SplitRing.INDEX_MASK;
    if (head < 0 || head >= size) {
      throw new IOException("the device has used chain %d of %d".formatted(head, size));
    }
    if (chains[head] != null) {
      for (int descriptor : chains[head]) {
        free.add(descriptor);
      }
      chains[head] = null;
    }
    return Optional.of(new Used(head, written));
  }

  /**
   * Waits until the device has used a request, without an interrupt.
   *
   * @throws IOException if it is not in time
   */
  public Used await(Duration limit) throws IOException {
    long end = System.nanoTime() + limit.toNanos();
    while (true) {
      Optional<Used> back = poll();
      if (back.isPresent()) {
        return back.get();
      }
      if (System.nanoTime() >= end) {
        throw new IOException("queue %d has used nothing after %s".formatted(index, limit));
      }
      driver.device().relax();
    }
  }

  private static int load(DmaRange from, long offset) throws IOException {
    return (int) from.load(offset, AccessWidth.WORD);
  }
}
