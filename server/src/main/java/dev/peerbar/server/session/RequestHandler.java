package dev.peerbar.server.session;

import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;

/** What the server does for one command. */
@FunctionalInterface
interface RequestHandler {

  /**
   * Judges the request as a whole, then does it.
   *
   * @param request stays the caller's; descriptors that are to be kept are taken from it
   * @return the reply
   * @throws InvalidMessageException if it is refused; nothing has changed then
   */
  Frame handle(Frame request) throws InvalidMessageException;
}
