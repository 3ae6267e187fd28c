package dev.peerbar.server;

import java.time.Duration;

/**
 * How to serve an endpoint.
 *
 * @param allowed who may connect
 * @param busyPoll how long to look for a client's next message before sleeping, at most; how long
 *     that is worth while is learnt from the client. Zero to sleep at once
 */
public record ServerOptions(AllowedPeers allowed, Duration busyPoll) {
  /** Any user, and no looking. */
  public static final ServerOptions DEFAULT =
      new ServerOptions(AllowedPeers.ANY_USER, Duration.ZERO);

  /**
   * A look that is worth a processor to who asks for it: some times what it takes to wake up, and
   * longer than most drivers take between two accesses in a row.
   */
  public static final Duration BUSY_POLL = Duration.ofNanos(100_000);

  /** The same for some users only. */
  public ServerOptions withAllowed(AllowedPeers peers) {
    return new ServerOptions(peers, busyPoll);
  }

  /** The same with a look. */
  public ServerOptions withBusyPoll(Duration most) {
    return new ServerOptions(allowed, most);
  }
}
