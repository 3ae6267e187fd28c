package dev.peerbar.server;

import dev.peerbar.linux.UnixSocket.Credentials;
import java.util.Set;

/**
 * Which users' processes may be clients, of those whom the socket file lets in.
 *
 * @param uids effective user ids when they connected, unsigned; none for any user
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
