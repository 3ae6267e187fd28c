package dev.peerbar.server;

import dev.peerbar.linux.UnixSocket.Credentials;
import java.util.Set;

/**
 * The users whose processes may be clients, provided that the socket file lets them in.
 *
 * @param uids effective user ids at the time of connecting, unsigned; empty for any user
 */
public record AllowedPeers(Set<Integer> uids) {
  public static final AllowedPeers ANY_USER = new AllowedPeers(Set.of());

  public AllowedPeers {
    uids = Set.copyOf(uids);
  }

  boolean allows(Credentials peer) {
    return uids.isEmpty() || uids.contains(peer.uid());
  }
}
