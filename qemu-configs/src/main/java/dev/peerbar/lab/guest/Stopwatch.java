package dev.peerbar.lab.guest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;

/**
 * Times accesses of the guest's CPU, in the guest and by its monotonic clock: the way from the host
 * to the agent and back is not in the durations. Addresses are the agent's. May be used from any
 * thread.
 */
public final class Stopwatch {
  private final GuestAgent agent;

  Stopwatch(GuestAgent agent) {
    this.agent = agent;
  }

  /**
   * Words that are loaded or stored one after the other, from the start again after the last.
   *
   * @param address of the first
   * @param length of all of them, in bytes: a multiple of the width
   * @param width of one: 1, 2, 4 or 8 bytes
   */
  public record Words(long address, long length, int width) {}

  /**
   * How long loads take altogether.
   *
   * @param count how many loads
   * @throws GuestFaultException if one faulted
   */
  public Duration timeLoads(Words words, long count) throws IOException {
    return time(words, count, 0, 0);
  }

  /**
   * How long stores take altogether.
   *
   * @param value stored in every word, as much of it as a word holds
   * @param count how many stores
   * @throws GuestFaultException if one faulted
   */
  public Duration timeStores(Words words, long value, long count) throws IOException {
    return time(words, count, 1, value);
  }

  private Duration time(Words words, long count, int store, long value) throws IOException {
    ByteBuffer request =
        GuestCalls.buffer(40)
            .putLong(words.address)
            .putLong(words.length)
            .putInt(words.width)
            .putLong(count)
            .putInt(store)
            .putLong(value);
    return agent
        .call(Operation.TIME, request, "time accesses to", words.length, words.address)
        .make(b -> Duration.ofNanos(b.getLong()));
  }

  /**
   * How long copies by the guest's CPU take altogether.
   *
   * @param to address, which may not overlap the other
   * @param from address
   * @param length of one copy, in bytes
   * @param count how many copies
   * @throws GuestFaultException if one faulted
   */
  public Duration timeCopies(long to, long from, long length, long count) throws IOException {
    ByteBuffer request =
        GuestCalls.buffer(32).putLong(to).putLong(from).putLong(length).putLong(count);
    return agent
        .call(Operation.TIME_COPY, request, "time copies of", length, from)
        .make(b -> Duration.ofNanos(b.getLong()));
  }

  /**
   * Makes one store and waits for the event that it brings about: a doorbell and its interrupt.
   *
   * @param width 1, 2, 4 or 8 bytes
   * @param eventFd clear before; it is cleared again
   * @return how long that took, or empty if there was no event in time
   * @throws GuestFaultException if the store faulted
   */
  public Optional<Duration> timeEvent(
      long address, int width, long value, int eventFd, Duration limit) throws IOException {
    ByteBuffer request =
        GuestCalls.buffer(28)
            .putLong(address)
            .putInt(width)
            .putLong(value)
            .putInt(eventFd)
            .putInt(Math.toIntExact(limit.toMillis()));
    return agent
        .call(Operation.TIME_EVENT, request, "time an event after a store of", width, address)
        .within(limit.plus(GuestCalls.LIMIT))
        .make(b -> Optional.of(Duration.ofNanos(b.getLong())), Optional.empty());
  }
}
