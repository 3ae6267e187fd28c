package dev.peerbar.scenario;

import dev.peerbar.server.events.InterruptEvent;
import dev.peerbar.server.events.MessageEvent;
import dev.peerbar.server.events.Observers;
import dev.peerbar.server.events.ResetEvent;
import dev.peerbar.server.events.TraceEvent;
import dev.peerbar.server.events.TransferEvent;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;

/**
 * Keeps the last things that the endpoints of this process saw and did. For any thread.
 *
 * <p>There is one at a time in a process, and none beside a trace.
 */
final class DeviceMessages implements AutoCloseable {
  private static final int MOST = 256;

  private final Deque<TraceEvent> last = new ArrayDeque<>();
  private final Consumer<TraceEvent> observer = this::take;

  private DeviceMessages() {}

  static DeviceMessages observe() {
    DeviceMessages messages = new DeviceMessages();
    Observers.observe(messages.observer);
    return messages;
  }

  private void take(TraceEvent event) {
    synchronized (last) {
      if (last.size() == MOST) {
        last.removeFirst();
      }
      last.addLast(event);
    }
  }

  void forget() {
    synchronized (last) {
      last.clear();
    }
  }

  /** A line each, or for several that are alike; oldest first, with milliseconds before now. */
  List<String> lines() {
    List<TraceEvent> events;
    synchronized (last) {
      events = new ArrayList<>(last);
    }
    events.sort(Comparator.comparingLong(TraceEvent::began));
    long now = System.nanoTime();
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < events.size(); ) {
      TraceEvent event = events.get(i);
      String text = event.function() + ": " + text(event);
      int same = 1;
      while (i + same < events.size()
          && text.equals(events.get(i + same).function() + ": " + text(events.get(i + same)))) {
        same++;
      }
      String times = same == 1 ? "" : ", %d times".formatted(same);
      lines.add("%+.3f ms %s%s".formatted((event.began() - now) / 1e6, text, times));
      i += same;
    }
    return List.copyOf(lines);
  }

  private static String text(TraceEvent event) {
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

  @Override
  public void close() {
    Observers.leave(observer);
  }
}
