package dev.peerbar.server;

import java.time.Duration;
import java.util.Optional;

/**
 * How to serve an endpoint.
 *
 * @param allowed who may connect
 * @param busyPoll how long to look for a client's next message before sleeping, at most; how long
 *     that is worth while is learnt from the client. Zero to sleep at once
 * @param polling whether the function's thread looks without sleeping at all; more than {@code
 *     busyPoll}, which says nothing then
 * @param maxDmaMaps mappings of a client that may live at the same time, 1 to {@link
 *     #MOST_DMA_MAPS}
 * @param trustMemory whether to touch the client's memory wherever it can be mapped: a client that
 *     takes it away then ends this process
 * @param inject whether the owner's other processes may have the endpoint misbehave, by a socket
 *     whose path has {@code .inject} at its end
 */
public record ServerOptions(
    AllowedPeers allowed,
    Duration busyPoll,
    Optional<Polling> polling,
    int maxDmaMaps,
    boolean trustMemory,
    boolean inject) {
  /**
   * More than guests have: all of 8 GiB, page by page. A vIOMMU sends each page as a mapping, and
   * some containers of Linux vfio fill it with pages of 4 KiB whatever lies behind.
   */
  public static final int DMA_MAPS = 2 << 20;

  /** 64 GiB, page by page. */
  public static final int MOST_DMA_MAPS = 16 << 20;

  /** Any user, no looking, {@link #DMA_MAPS}, no trust, and no way to inject faults. */
  public static final ServerOptions DEFAULT =
      new ServerOptions(
          AllowedPeers.ANY_USER, Duration.ZERO, Optional.empty(), DMA_MAPS, false, false);

  /**
   * How long {@code --busy-poll} looks for the next message: several times as long as waking up
   * takes, and longer than most drivers take between two accesses in a row.
   */
  public static final Duration BUSY_POLL = Duration.ofNanos(100_000);

  /** The same for some users only. */
  public ServerOptions withAllowed(AllowedPeers peers) {
    return new ServerOptions(peers, busyPoll, polling, maxDmaMaps, trustMemory, inject);
  }

  /** The same with a look. */
  public ServerOptions withBusyPoll(Duration most) {
    return new ServerOptions(allowed, most, polling, maxDmaMaps, trustMemory, inject);
  }

  /** The same with polling. */
  public ServerOptions withPolling(Polling how) {
    return new ServerOptions(allowed, busyPoll, Optional.of(how), maxDmaMaps, trustMemory, inject);
  }

  /** The same with another number of mappings. */
  public ServerOptions withMaxDmaMaps(int most) {
    return new ServerOptions(allowed, busyPoll, polling, most, trustMemory, inject);
  }

  /** The same with trust in the client's memory, or without. */
  public ServerOptions withTrustMemory(boolean trust) {
    return new ServerOptions(allowed, busyPoll, polling, maxDmaMaps, trust, inject);
  }

  /** The same with a way to inject faults, or without. */
  public ServerOptions withInject(boolean may) {
    return new ServerOptions(allowed, busyPoll, polling, maxDmaMaps, trustMemory, may);
  }
}
