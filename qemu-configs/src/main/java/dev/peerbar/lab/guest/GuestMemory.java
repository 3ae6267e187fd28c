package dev.peerbar.lab.guest;

import java.io.IOException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/**
 * Memory mapped in the guest's agent: RAM, or a device's BAR. Offsets and lengths are in bytes and
 * checked here; an access that faults in the guest is a {@link
 * dev.peerbar.lab.guest.GuestFaultException}.
 */
public final class GuestMemory implements AutoCloseable {
  private final GuestSystem system;
  private final long address;
  private final long length;
  private boolean closed;

  public GuestMemory(GuestSystem system, long address, long length) {
    this.system = system;
    this.address = address;
    this.length = length;
  }

  /** Where it is in the agent's address space. */
  public long address() {
    return address;
  }

  public long length() {
    return length;
  }

  /** One load of 4 bytes. */
  public int read32(long offset) throws IOException {
    return (int) load(offset, Integer.BYTES);
  }

  /** One load of 8 bytes. */
  public long read64(long offset) throws IOException {
    return load(offset, Long.BYTES);
  }

  /** One store of 4 bytes. */
  public void write32(long offset, int value) throws IOException {
    store(offset, Integer.BYTES, value);
  }

  /** One store of 8 bytes. */
  public void write64(long offset, long value) throws IOException {
    store(offset, Long.BYTES, value);
  }

  /** One load of 1, 2, 4 or 8 bytes, zero-extended. */
  public long load(long offset, int width) throws IOException {
    return agent().load(at(offset, width), width);
  }

  /** One store of 1, 2, 4 or 8 bytes. */
  public void store(long offset, int width, long value) throws IOException {
    agent().store(at(offset, width), width, value);
  }

  /** Copies bytes out. */
  public byte[] read(long offset, int count) throws IOException {
    return agent().read(at(offset, count), count);
  }

  /** Copies bytes in. */
  public void write(long offset, byte[] bytes) throws IOException {
    agent().write(at(offset, bytes.length), bytes);
  }

  /** Sets every byte of a range. */
  public void set(long offset, long count, int value) throws IOException {
    agent().set(at(offset, count), count, value);
  }

  /**
   * Fills a range, of a multiple of 8 bytes, with the {@link dev.peerbar.lab.guest.Pattern} of a
   * seed.
   */
  public void fill(long offset, long count, long seed) throws IOException {
    agent().fill(at(offset, count), count, seed);
  }

  /** The first word of a range that is not the pattern's; empty if all are. */
  public Optional<GuestAgent.Mismatch> verify(long offset, long count, long seed)
      throws IOException {
    return agent().verify(at(offset, count), count, seed);
  }

  /** The offset in the range of the first byte that differs from another's, or {@code count}. */
  public long compare(long offset, GuestMemory other, long otherOffset, long count)
      throws IOException {
    return agent().compare(at(offset, count), other.at(otherOffset, count), count);
  }

  /** How long {@code count} loads from one place take altogether. */
  public Duration timeLoads(long offset, int width, long count) throws IOException {
    return timeLoads(offset, width, width, count);
  }

  /**
   * How long {@code count} loads take altogether, of one word of a range after the other and from
   * the start again.
   *
   * @param length of the range, a multiple of the width
   */
  public Duration timeLoads(long offset, long length, int width, long count) throws IOException {
    return agent().stopwatch().timeLoads(words(offset, length, width), count);
  }

  /** How long {@code count} stores to one place take altogether. */
  public Duration timeStores(long offset, int width, long value, long count) throws IOException {
    return timeStores(offset, width, width, value, count);
  }

  /**
   * How long {@code count} stores take altogether, to one word of a range after the other and from
   * the start again.
   *
   * @param length of the range, a multiple of the width
   */
  public Duration timeStores(long offset, long length, int width, long value, long count)
      throws IOException {
    return agent().stopwatch().timeStores(words(offset, length, width), value, count);
  }

  private Stopwatch.Words words(long offset, long length, int width) {
    return new Stopwatch.Words(at(offset, length), length, width);
  }

  /** How long it takes the guest's CPU to copy a range into other memory, {@code count} times. */
  public Duration timeCopies(
      long offset, GuestMemory other, long otherOffset, long length, long count)
      throws IOException {
    return agent()
        .stopwatch()
        .timeCopies(other.at(otherOffset, length), at(offset, length), length, count);
  }

  /**
   * Makes one store and waits for the event that it brings about.
   *
   * @return how long that took in the guest, or empty if there was no event in time
   */
  public Optional<Duration> timeEvent(
      long offset, int width, long value, EventFd event, Duration limit) throws IOException {
    return agent().stopwatch().timeEvent(at(offset, width), width, value, event.fd(), limit);
  }

  /** Starts a thread of the guest that loads from one place over and over until it is stopped. */
  public GuestAgent.Poller poll(long offset, int width) throws IOException {
    return agent().startPoller(at(offset, width), width);
  }

  public long at(long offset, long count) {
    if (closed) {
      throw new IllegalStateException("unmapped");
    }
    Objects.checkFromIndexSize(offset, count, length);
    return address + offset;
  }

  private GuestAgent agent() {
    return system.agent();
  }

  /** Unmaps it. */
  @Override
  public void close() throws IOException {
    if (!closed) {
      closed = true;
      system.munmap(address, length);
    }
  }
}
