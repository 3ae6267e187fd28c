package dev.peerbar.lab.guest;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Memory;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/**
 * Memory mapped in the guest's agent: RAM, or a device's BAR. Offsets and lengths are in bytes and
 * checked here; an access that faults in the guest is a {@link GuestFaultException}.
 */
public final class GuestMemory implements Memory, AutoCloseable {
  private final GuestSystem system;
  private final long address;
  private final long length;
  private boolean closed;

  public GuestMemory(GuestSystem system, long address, long length) {
    this.system = system;
    this.address = address;
    this.length = length;
  }

  /**
   * What a range is part of.
   *
   * @throws ClassCastException if that is not the guest's
   */
  public static GuestMemory of(DmaRange range) {
    return (GuestMemory) range.memory();
  }

  /** Where it is in the agent's address space. */
  public long address() {
    return address;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public long load(long offset, AccessWidth width) throws IOException {
    return agent().load(at(offset, width.bytes()), width.bytes());
  }

  @Override
  public void store(long offset, AccessWidth width, long value) throws IOException {
    agent().store(at(offset, width.bytes()), width.bytes(), value);
  }

  @Override
  public byte[] read(long offset, int count) throws IOException {
    return agent().read(at(offset, count), count);
  }

  @Override
  public void write(long offset, byte[] bytes) throws IOException {
    agent().write(at(offset, bytes.length), bytes);
  }

  @Override
  public void fill(long offset, long count, byte value) throws IOException {
    agent().set(at(offset, count), count, value);
  }

  /** Fills a range, of a multiple of 8 bytes, with the {@link Pattern} of a seed. */
  public void fillPattern(long offset, long count, long seed) throws IOException {
    agent().fill(at(offset, count), count, seed);
  }

  /** The first word of a range that is not the pattern's; empty if all are. */
  public Optional<GuestAgent.Mismatch> verifyPattern(long offset, long count, long seed)
      throws IOException {
    return agent().verify(at(offset, count), count, seed);
  }

  /** The offset in the range of the first byte that differs from another's, or {@code count}. */
  public long compare(long offset, GuestMemory other, long otherOffset, long count)
      throws IOException {
    return agent().compare(at(offset, count), other.at(otherOffset, count), count);
  }

  /** How long {@code count} loads from one place take altogether. */
  public Duration timeLoads(long offset, AccessWidth width, long count) throws IOException {
    return timeLoads(offset, width.bytes(), width, count);
  }

  /**
   * How long {@code count} loads take altogether, of one word of a range after the other and from
   * the start again.
   *
   * @param length of the range, a multiple of the width
   */
  public Duration timeLoads(long offset, long length, AccessWidth width, long count)
      throws IOException {
    return agent().stopwatch().timeLoads(words(offset, length, width), count);
  }

  /** How long {@code count} stores to one place take altogether. */
  public Duration timeStores(long offset, AccessWidth width, long value, long count)
      throws IOException {
    return timeStores(offset, width.bytes(), width, value, count);
  }

  /**
   * How long {@code count} stores take altogether, to one word of a range after the other and from
   * the start again.
   *
   * @param length of the range, a multiple of the width
   */
  public Duration timeStores(long offset, long length, AccessWidth width, long value, long count)
      throws IOException {
    return agent().stopwatch().timeStores(words(offset, length, width), value, count);
  }

  private Stopwatch.Words words(long offset, long length, AccessWidth width) {
    return new Stopwatch.Words(at(offset, length), length, width.bytes());
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
      long offset, AccessWidth width, long value, EventFd event, Duration limit)
      throws IOException {
    return agent()
        .stopwatch()
        .timeEvent(at(offset, width.bytes()), width.bytes(), value, event.fd(), limit);
  }

  /** Starts a thread of the guest that loads from one place over and over until it is stopped. */
  public GuestAgent.Poller poll(long offset, AccessWidth width) throws IOException {
    return agent().startPoller(at(offset, width.bytes()), width.bytes());
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
