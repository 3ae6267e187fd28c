package dev.peerbar.bench.socket;

import dev.peerbar.server.ServerOptions;

/** How the server waits for its client's next message. */
public enum Receiving {
  /** It sleeps. */
  WAITING("waiting", ServerOptions.DEFAULT),
  /** It looks for a while before it sleeps. */
  BUSY_POLL("busy-poll", ServerOptions.DEFAULT.withBusyPoll(ServerOptions.BUSY_POLL));

  private final String label;
  private final ServerOptions options;

  Receiving(String label, ServerOptions options) {
    this.label = label;
    this.options = options;
  }

  ServerOptions options() {
    return options;
  }

  @Override
  public String toString() {
    return label;
  }
}
