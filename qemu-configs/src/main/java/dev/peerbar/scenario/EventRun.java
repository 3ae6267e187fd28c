package dev.peerbar.scenario;

import dev.peerbar.server.events.InterruptEvent;
import dev.peerbar.server.events.MessageEvent;
import dev.peerbar.server.events.ResetEvent;
import dev.peerbar.server.events.TraceEvent;
import dev.peerbar.server.events.TransferEvent;
import java.time.Duration;
import java.util.Objects;

/** Something that happened at an endpoint, or several alike running. For one thread at a time. */
final class EventRun {
  private final TraceEvent first;
  private TraceEvent last;
  private long times = 1;
  private long moved;

  EventRun(TraceEvent first) {
    this.first = first;
    last = first;
    moved = moved(first);
  }

  /** Takes one more of the same function, if it is alike. */
  boolean takes(TraceEvent event) {
    if (!isAlike(event)) {
      return false;
    }
    last = event;
    times++;
    moved += moved(event);
    return true;
  }

  private boolean isAlike(TraceEvent event) {
    return switch (event) {
      case MessageEvent m when first instanceof MessageEvent f ->
          m.command().equals(f.command())
              && m.direction() == f.direction()
              && Objects.equals(m.errno(), f.errno());
      case TransferEvent t when first instanceof TransferEvent f ->
          t.fault() == null
              && f.fault() == null
              && t.engine().equals(f.engine())
              && t.access() == f.access()
              && t.path().equals(f.path());
      case InterruptEvent i when first instanceof InterruptEvent f ->
          i.index().equals(f.index()) && i.vector() == f.vector() && i.outcome() == f.outcome();
      default -> false;
    };
  }

  private static long moved(TraceEvent event) {
    return event instanceof TransferEvent t ? t.moved() : 0;
  }

  /** How many there are. */
  long times() {
    return times;
  }

  /**
   * All of them as one.
   *
   * @param start of the timeline, as {@link System#nanoTime} says it
   */
  Timeline.Event event(long start) {
    String all = times > 1 && moved > 0 ? "; %d bytes in all".formatted(moved) : "";
    return new Timeline.Event(
        first.function(),
        kind(),
        Duration.ofNanos(first.began() - start),
        Duration.ofNanos(last.ended() - first.began()),
        times,
        failed(),
        text(first) + all);
  }

  private Timeline.Kind kind() {
    return switch (first) {
      case MessageEvent _ -> Timeline.Kind.MESSAGE;
      case TransferEvent _ -> Timeline.Kind.TRANSFER;
      case ResetEvent _ -> Timeline.Kind.RESET;
      case InterruptEvent _ -> Timeline.Kind.INTERRUPT;
    };
  }

  private boolean failed() {
    return switch (first) {
      case MessageEvent m -> m.errno() != null;
      case TransferEvent t -> t.fault() != null;
      case ResetEvent _ -> false;
      case InterruptEvent i -> i.outcome() == InterruptEvent.Outcome.LOST;
    };
  }

  /** One of them, in a line. */
  static String text(TraceEvent event) {
    return switch (event) {
      case MessageEvent m -> message(m);
      case TransferEvent t -> transfer(t);
      case ResetEvent r -> "reset (%s), %d jobs ended".formatted(r.kind(), r.jobsEnded());
      case InterruptEvent i -> "%s %d %s".formatted(i.index(), i.vector(), i.outcome());
    };
  }

  private static String message(MessageEvent m) {
    String who = m.direction() == MessageEvent.Direction.CLIENT_TO_SERVER ? "" : "to the client: ";
    String refused = m.errno() == null ? "" : ", " + m.errno();
    return "%s%s, %d bytes in, %d out%s"
        .formatted(who, m.command(), m.bytesReceived(), m.bytesSent(), refused);
  }

  private static String transfer(TransferEvent t) {
    String fault = t.fault() == null ? "" : ", %s at 0x%x".formatted(t.fault(), t.faultAddress());
    return "%s %s, 0x%x to 0x%x, %d of %d bytes, %s%s"
        .formatted(
            t.engine(),
            t.access(),
            t.source(),
            t.destination(),
            t.moved(),
            t.asked(),
            t.path(),
            fault);
  }
}
