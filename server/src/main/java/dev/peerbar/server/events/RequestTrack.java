package dev.peerbar.server.events;

/** The requests of one function's clients, in the order they are handled. For its thread. */
public final class RequestTrack {
  private MessageEvent latest;

  /** A request is here as a whole and is about to be handled. */
  public MessageEvent begin(
      String function, String command, int id, int bytesReceived, int descriptors) {
    latest = new MessageEvent(function, MessageEvent.Direction.CLIENT_TO_SERVER, command, id, this);
    latest.received(bytesReceived, descriptors);
    return latest;
  }

  /** Whether the handling of another request has begun since. */
  boolean isOvertaken(MessageEvent event) {
    return latest != event;
  }
}
