package dev.peerbar.driver.ioat;

import dev.peerbar.devices.ioat.ChannelState;
import dev.peerbar.devices.ioat.IoatDescriptor;
import dev.peerbar.devices.ioat.IoatRegisters;
import dev.peerbar.driver.CopyChannel;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.time.Duration;

/**
 * A channel of an I/OAT endpoint, with a chain that is a ring, and a word that its status is
 * written to. For one thread at a time.
 *
 * <p>The caller keeps count: of descriptors that are not over there must be fewer than entries.
 */
public final class IoatChannel implements CopyChannel {
  /**
   * What CHANCTRL is written with before each interrupt: takes the mark of the last one away, and
   * has errors told.
   */
  public static final int REARM =
      IoatRegisters.CHANCTRL_INTERRUPTED
          | IoatRegisters.CHANCTRL_ERROR_COMPLETION
          | IoatRegisters.CHANCTRL_ERROR_ABORT;

  private static final int COUNT_MASK = 0xffff;

  private final IoatDriver driver;
  private final int index;
  private final DmaRange chain;
  private final DmaRange completion;
  private final int entries;
  private int next;
  private int count;

  IoatChannel(IoatDriver driver, int index, DmaRange chain, DmaRange completion) {
    this.driver = driver;
    this.index = index;
    this.chain = chain;
    this.completion = completion;
    entries = Math.toIntExact(chain.length() / IoatDescriptor.BYTES);
  }

  /** Where the descriptors are. */
  public DmaRange memory() {
    return chain;
  }

  /** Where its status is written to. */
  public DmaRange completion() {
    return completion;
  }

  /** The offset of one of the channel's registers in BAR 0. */
  public long register(long offset) {
    return IoatRegisters.channel(index) + offset;
  }

  /** Ends what it does, and clears its registers. */
  public void reset() throws IOException {
    command(IoatRegisters.CHANCMD_RESET);
  }

  /** CHANCMD. */
  public void command(int value) throws IOException {
    driver.registers().store(register(IoatRegisters.CHANCMD), AccessWidth.BYTE, value);
  }

  /** CHANCTRL. */
  public void control(int value) throws IOException {
    driver.registers().store(register(IoatRegisters.CHANCTRL), AccessWidth.WORD, value);
  }

  /** Takes the mark of an interrupt away: the next one can come. */
  public void rearm() throws IOException {
    control(REARM);
  }

  /** Links the chain, and has the channel begin at its first descriptor, of which none is valid. */
  public IoatChannel begin() throws IOException {
    for (int entry = 0; entry < entries; entry++) {
      chain.storeLong(
          (long) entry * IoatDescriptor.BYTES + IoatDescriptor.NEXT, iova((entry + 1) % entries));
    }
    completion.clear();
    driver.writeLong(register(IoatRegisters.CHANCMP), completion.iova());
    beginAt(chain.iova());
    rearm();
    if (index < driver.vectors().size()) {
      vector().drain();
    }
    return this;
  }

  /** CHAINADDR, whatever is there. */
  public void beginAt(long iova) throws IOException {
    driver.writeLong(register(IoatRegisters.CHAINADDR), iova);
    next = 0;
    count = 0;
  }

  /** Where an entry of the chain is. */
  public long iova(int entry) {
    return chain.iova() + (long) entry * IoatDescriptor.BYTES;
  }

  /**
   * Fills in the next descriptor, and leaves its link.
   *
   * @param control besides the operation: {@link IoatDescriptor#INTERRUPT} and its like
   * @param source an IOVA, or the pattern of a fill
   * @return which entry it is
   */
  public int put(int operation, int control, long source, long destination, int size)
      throws IOException {
    int entry = next;
    put(entry, operation, control, source, destination, size);
    next = (entry + 1) % entries;
    return entry;
  }

  private void put(int entry, int operation, int control, long source, long destination, int size)
      throws IOException {
    long at = (long) entry * IoatDescriptor.BYTES;
    chain.storeInt(at + IoatDescriptor.SIZE, size);
    chain.storeInt(
        at + IoatDescriptor.CONTROL, operation << IoatDescriptor.OPERATION_SHIFT | control);
    chain.storeLong(at + IoatDescriptor.SOURCE, source);
    chain.storeLong(at + IoatDescriptor.DESTINATION, destination);
  }

  @Override
  public void copyAhead(int ahead, long source, long destination, int size, boolean interrupts)
      throws IOException {
    put(
        (next + ahead) % entries,
        IoatDescriptor.COPY,
        interrupts ? IoatDescriptor.INTERRUPT : 0,
        source,
        destination,
        size);
  }

  /** A copy that is told of in the completion word. */
  public int copy(long source, long destination, int size) throws IOException {
    return put(IoatDescriptor.COPY, IoatDescriptor.COMPLETION, source, destination, size);
  }

  /** The offset of the channel's DMACOUNT in BAR 0. */
  @Override
  public long doorbell() {
    return register(IoatRegisters.DMACOUNT);
  }

  @Override
  public AccessWidth doorbellWidth() {
    return AccessWidth.WORD;
  }

  /** Counts the next entries as put and issued. Returns what DMACOUNT is to say then. */
  @Override
  public int advance(int more) {
    next = (next + more) % entries;
    count = count + more & COUNT_MASK;
    return count;
  }

  /** Says that so many more descriptors are valid, which were put. */
  public void issue(int more) throws IOException {
    count = count + more & COUNT_MASK;
    driver.registers().store(doorbell(), doorbellWidth(), count);
  }

  /** CHANSTS. */
  public long status() throws IOException {
    return driver.readLong(register(IoatRegisters.CHANSTS));
  }

  /** The state in CHANSTS. */
  public ChannelState state() throws IOException {
    return ChannelState.of(status());
  }

  /** The descriptor in CHANSTS: that which was done last, or 0. */
  public long lastDone() throws IOException {
    return status() & -IoatDescriptor.BYTES;
  }

  /** CHANERR. */
  public int errors() throws IOException {
    return driver.read(register(IoatRegisters.CHANERR));
  }

  /** Clears CHANERR. */
  public void clearErrors() throws IOException {
    driver.write(register(IoatRegisters.CHANERR), -1);
  }

  @Override
  public Interrupt vector() {
    return driver.vectors().get(index);
  }

  /**
   * Waits until it is done, halted or suspended.
   *
   * @return which
   * @throws IOException if it is not in time
   */
  public ChannelState awaitRest(Duration limit) throws IOException {
    long end = System.nanoTime() + limit.toNanos();
    while (true) {
      ChannelState state = state();
      if (state != ChannelState.ACTIVE) {
        return state;
      }
      if (System.nanoTime() >= end) {
        throw new IOException("the channel is active after " + limit);
      }
      driver.device().relax();
    }
  }
}
