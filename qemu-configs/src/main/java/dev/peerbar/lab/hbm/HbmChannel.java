package dev.peerbar.lab.hbm;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.vfio.Ioas;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Optional;

/** A channel of an HBM endpoint with a ring, and completion records beside it, in a guest page. */
public final class HbmChannel {
  /** Of a ring; one fewer can wait in it. */
  public static final int ENTRIES = 32;

  private static final long PAGE = 4096;
  private static final long RECORDS = (long) ENTRIES * Descriptor.BYTES;

  private final HbmDevice device;
  private final int index;
  private final GuestMemory page;
  private final long iova;
  private int tail;

  HbmChannel(HbmDevice device, int index, Guest guest, Ioas ioas) throws IOException {
    this.device = device;
    this.index = index;
    page = guest.allocate(PAGE);
    iova = ioas.map(page).iova();
  }

  /**
   * What the endpoint wrote when a descriptor was over.
   *
   * @param status {@link CompletionRecord#DONE}, {@link CompletionRecord#FAILED}, or 0 before
   * @param moved bytes
   * @param result of the opcode, if it has one
   */
  public record Completion(int status, int error, long moved, long result, long tag) {
    public boolean done() {
      return status == CompletionRecord.DONE;
    }
  }

  /** Programs the channel and starts it afresh, with an empty ring and no interrupt waiting. */
  public void enable() throws IOException {
    long at = HbmRegisters.channel(index);
    GuestMemory registers = device.registers();
    registers.write32(at + HbmRegisters.CTRL, 0);
    registers.write64(at + HbmRegisters.RING_BASE, iova);
    registers.write32(at + HbmRegisters.RING_SIZE, ENTRIES);
    registers.write32(at + HbmRegisters.CTRL, HbmRegisters.CTRL_ENABLE);
    page.set(0, PAGE, 0);
    tail = 0;
    device.vector(index).drain();
  }

  /**
   * Puts descriptors, each with a record, into the ring without ringing.
   *
   * @return the entry of the first
   */
  public int prepare(Descriptor... descriptors) throws IOException {
    int first = tail;
    for (Descriptor wanted : descriptors) {
      Descriptor descriptor = withRecord(wanted, tail);
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment bytes = arena.allocate(Descriptor.BYTES, Long.BYTES);
        descriptor.put(bytes, 0);
        page.write((long) tail * Descriptor.BYTES, bytes.toArray(ValueLayout.JAVA_BYTE));
      }
      page.set(record(tail), CompletionRecord.BYTES, 0);
      tail = (tail + 1) % ENTRIES;
    }
    return first;
  }

  /** Makes valid what was prepared. */
  public void ring() throws IOException {
    device.write(HbmRegisters.doorbell(index), tail);
  }

  /** Prepares and rings; the entry of the first. */
  public int submit(Descriptor... descriptors) throws IOException {
    int first = prepare(descriptors);
    ring();
    return first;
  }

  /**
   * Makes valid what was prepared and waits for the channel's MSI-X vector, of which no signal may
   * be left: how long that took in the guest, or empty if it was not signalled in time.
   */
  public Optional<Duration> timeRing(Duration limit) throws IOException {
    return device
        .registers()
        .timeEvent(HbmRegisters.doorbell(index), Integer.BYTES, tail, device.vector(index), limit);
  }

  private Descriptor withRecord(Descriptor d, int entry) {
    return new Descriptor(
        d.opcode(),
        d.flags() | Descriptor.WRITE_RECORD,
        d.source(),
        d.destination(),
        d.length(),
        iova + record(entry),
        d.pattern(),
        entry,
        0);
  }

  private static long record(int entry) {
    return RECORDS + (long) entry * CompletionRecord.BYTES;
  }

  /** One past the last entry that was prepared: what the doorbell is to say. */
  public int tail() {
    return tail;
  }

  /** Waits for the channel's MSI-X vector; false if it was not signalled in time. */
  public boolean awaitInterrupt(Duration limit) throws IOException {
    return device.vector(index).await(limit).isPresent();
  }

  /** The record of an entry. */
  public Completion completion(int entry) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.wrap(page.read(record(entry), CompletionRecord.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    return new Completion(
        bytes.getInt((int) CompletionRecord.STATUS),
        bytes.getInt((int) CompletionRecord.ERROR),
        bytes.getLong((int) CompletionRecord.MOVED),
        bytes.getLong((int) CompletionRecord.RESULT),
        bytes.getLong((int) CompletionRecord.TAG));
  }

  /** The STATE register. */
  public ChannelState state() throws IOException {
    int code = device.read(HbmRegisters.channel(index) + HbmRegisters.STATE);
    for (ChannelState state : ChannelState.values()) {
      if (state.code() == code) {
        return state;
      }
    }
    throw new IOException("STATE is " + code);
  }

  /** The ERROR register. */
  public int error() throws IOException {
    return device.read(HbmRegisters.channel(index) + HbmRegisters.ERROR);
  }
}
