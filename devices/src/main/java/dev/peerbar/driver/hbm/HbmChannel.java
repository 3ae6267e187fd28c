package dev.peerbar.driver.hbm;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.CopyChannel;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.driver.Memory;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;

/**
 * A channel of an HBM endpoint, with a ring and, if wanted, completion records of its own. For one
 * thread at a time.
 *
 * <p>The caller keeps count: of descriptors that are not over there must be fewer than entries.
 * {@link #put}, {@link #putAhead}, {@link #advance} and {@link #ring} allocate nothing if the
 * memory and the registers do not.
 */
public final class HbmChannel implements CopyChannel {
  private final HbmDriver driver;
  private final Memory registers;
  private final int index;
  private final DmaRange ring;
  private final DmaRange records;
  private final int entries;
  private final MemorySegment staging = Arena.ofAuto().allocate(Descriptor.BYTES, Long.BYTES);
  private int tail;

  HbmChannel(HbmDriver driver, int index, DmaRange ring, DmaRange records) {
    this.driver = driver;
    this.index = index;
    this.ring = ring;
    this.records = records;
    registers = driver.registers();
    entries = Math.toIntExact(ring.length() / Descriptor.BYTES);
  }

  /** Whose channel it is. */
  public HbmDriver driver() {
    return driver;
  }

  public int index() {
    return index;
  }

  /** Of the ring; one fewer can wait in it. */
  public int entries() {
    return entries;
  }

  /** Where the ring is. */
  public DmaRange memory() {
    return ring;
  }

  // Registers.

  /** The offset of one of the channel's registers in BAR 0. */
  public long register(long offset) {
    return HbmRegisters.channel(index) + offset;
  }

  /** The offset of the channel's TAIL in BAR 0. */
  @Override
  public long doorbell() {
    return HbmRegisters.doorbell(index);
  }

  @Override
  public AccessWidth doorbellWidth() {
    return AccessWidth.DWORD;
  }

  /** Disables the channel: it stops at once, and loses its position. */
  public void disable() throws IOException {
    registers.storeInt(register(HbmRegisters.CTRL), 0);
  }

  /**
   * Programs the channel, which is not enabled, and starts it with an empty ring and no interrupt
   * waiting.
   */
  public HbmChannel enable() throws IOException {
    registers.storeLong(register(HbmRegisters.RING_BASE), ring.iova());
    registers.storeInt(register(HbmRegisters.RING_SIZE), entries);
    registers.storeInt(register(HbmRegisters.CTRL), HbmRegisters.CTRL_ENABLE);
    records.clear();
    tail = 0;
    if (index + 1 < driver.vectors().size()) {
      vector().drain();
    }
    return this;
  }

  /** What is to be done after a reset of the function: sets that up, and enables the channel. */
  public HbmChannel setUp() throws IOException {
    driver.setUp();
    return enable();
  }

  /** Disables and enables. */
  public HbmChannel restart() throws IOException {
    disable();
    return enable();
  }

  /** Stops the channel where it is. */
  public void abort() throws IOException {
    registers.storeInt(
        register(HbmRegisters.CTRL), HbmRegisters.CTRL_ENABLE | HbmRegisters.CTRL_ABORT);
  }

  /** STATE. */
  public ChannelState state() throws IOException {
    int code = registers.loadInt(register(HbmRegisters.STATE));
    for (ChannelState state : ChannelState.values()) {
      if (state.code() == code) {
        return state;
      }
    }
    throw new IOException("STATE is " + code);
  }

  /** HEAD. */
  public int head() throws IOException {
    return registers.loadInt(register(HbmRegisters.HEAD));
  }

  /** ERROR: the code of an {@link dev.peerbar.devices.hbm.ErrorCode}. */
  public int error() throws IOException {
    return registers.loadInt(register(HbmRegisters.ERROR));
  }

  /** COMPLETED. */
  public long completed() throws IOException {
    return registers.loadLong(register(HbmRegisters.COMPLETED));
  }

  // The ring.

  /** One past the last entry that was put: what the doorbell is to say. */
  public int tail() {
    return tail;
  }

  /** Puts a descriptor, as it is, into the next entry without ringing. */
  public HbmChannel put(Descriptor descriptor) throws IOException {
    putAhead(0, descriptor);
    advance(1);
    return this;
  }

  /** Puts descriptors, as they are, into the next entries without ringing. */
  public HbmChannel put(Descriptor... descriptors) throws IOException {
    for (Descriptor descriptor : descriptors) {
      put(descriptor);
    }
    return this;
  }

  /**
   * Puts a descriptor, as it is, into an entry that is not valid yet; {@link #tail} stays.
   *
   * @param ahead how many entries after {@link #tail}
   */
  public void putAhead(int ahead, Descriptor descriptor) throws IOException {
    descriptor.put(staging, 0);
    ring.write((long) ((tail + ahead) % entries) * Descriptor.BYTES, staging);
  }

  @Override
  public void copyAhead(int ahead, long source, long destination, int size, boolean interrupts)
      throws IOException {
    Descriptor copy = Descriptor.copy(size).from(source).to(destination);
    putAhead(ahead, interrupts ? copy.interrupt() : copy);
  }

  /** Counts the next entries as put. Returns the new {@link #tail}. */
  @Override
  public int advance(int count) {
    tail = (tail + count) % entries;
    return tail;
  }

  /** Makes valid what was put. */
  public HbmChannel ring() throws IOException {
    return ring(tail);
  }

  /** Rings with any value. */
  public HbmChannel ring(int value) throws IOException {
    registers.storeInt(doorbell(), value);
    return this;
  }

  // Descriptors with records of the channel's.

  /**
   * Puts descriptors, each with one of the channel's own records and its entry as tag, into the
   * ring without ringing. A channel without records puts them as they are.
   *
   * @return the entry of the first
   */
  public int prepare(Descriptor... descriptors) throws IOException {
    int first = tail;
    if (records.length() == 0) {
      put(descriptors);
      return first;
    }
    for (Descriptor descriptor : descriptors) {
      long record = (long) tail * CompletionRecord.BYTES;
      records.fill(record, CompletionRecord.BYTES, (byte) 0);
      put(descriptor.recordAt(records.iova() + record).tag(tail));
    }
    return first;
  }

  /** Prepares and rings; the entry of the first. */
  public int submit(Descriptor... descriptors) throws IOException {
    int first = prepare(descriptors);
    ring();
    return first;
  }

  /** The same. */
  public int submit(List<Descriptor> descriptors) throws IOException {
    return submit(descriptors.toArray(Descriptor[]::new));
  }

  /** The record of an entry that was prepared. */
  public Completion completion(int entry) throws IOException {
    return Completion.at(records, (long) entry * CompletionRecord.BYTES);
  }

  /**
   * Waits until an entry that was prepared is over, without a look at interrupts.
   *
   * @throws IOException if it is not in time; the message says what the channel is doing
   */
  public Completion await(int entry, Duration limit) throws IOException {
    long end = System.nanoTime() + limit.toNanos();
    while (true) {
      Completion completion = completion(entry);
      if (completion.status() != 0) {
        return completion;
      }
      if (System.nanoTime() - end >= 0 || state() == ChannelState.HALTED) {
        completion = completion(entry);
        if (completion.status() != 0) {
          return completion;
        }
        throw new IOException(
            "channel %d is %s at entry %d of %d, ERROR %d, and entry %d is not over"
                .formatted(index, state(), head(), tail, error(), entry));
      }
      driver.device().relax();
    }
  }

  // Waits.

  @Override
  public Interrupt vector() {
    return driver.vectors().get(index + 1);
  }

  /** Waits for the channel's vector; false if it was not signalled in time. */
  public boolean awaitInterrupt(Duration limit) throws IOException {
    return vector().await(limit) != 0;
  }

  /**
   * Waits for the channel's vector.
   *
   * @throws IOException if it is not signalled within {@link HbmDriver#LIMIT}; the message says
   *     what the channel is doing
   */
  public void awaitInterrupt() throws IOException {
    if (!awaitInterrupt(HbmDriver.LIMIT)) {
      throw new IOException(
          "channel %d is %s at entry %d of %d, ERROR %d, and does not interrupt"
              .formatted(index, state(), head(), tail, error()));
    }
  }

  /** Submits descriptors, one of which interrupts, and waits for that. */
  public void run(Descriptor... descriptors) throws IOException {
    submit(descriptors);
    awaitInterrupt();
  }

  /** Whether the channel's vector has been signalled by now; forgets that. */
  public boolean interrupted() throws IOException {
    return vector().drain() != 0;
  }

  /**
   * Waits until the channel has nothing to do any more; what it is then.
   *
   * @throws IOException if it still has when the time is over
   */
  public ChannelState awaitRest(Duration limit) throws IOException {
    long end = System.nanoTime() + limit.toNanos();
    while (true) {
      ChannelState state = state();
      if (state != ChannelState.RUNNING) {
        return state;
      }
      if (System.nanoTime() - end >= 0) {
        throw new IOException("channel %d still runs, at entry %d".formatted(index, head()));
      }
      driver.device().relax();
    }
  }
}
