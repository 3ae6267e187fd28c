package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;

/** What a header says, in words for people. */
final class Commands {
  private Commands() {}

  static String name(Header header) {
    // The names are constants: this allocates for unknown commands only.
    return header.knownCommand().map(Command::name).orElseGet(() -> "command " + header.command());
  }

  /** Why a reply says that its request failed; null if it did not. */
  static String errno(Header reply) {
    if (!reply.error()) {
      return null;
    }
    return Errno.of(reply.errno())
        .map(Errno::name)
        .orElseGet(() -> "errno " + Integer.toUnsignedString(reply.errno()));
  }
}
