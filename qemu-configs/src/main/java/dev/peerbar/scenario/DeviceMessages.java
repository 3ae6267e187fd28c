package dev.peerbar.scenario;

import dev.peerbar.server.events.Observers;
import dev.peerbar.server.events.TraceEvent;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Keeps the last things that the endpoints of this process saw and did: each of the last few, and
 * far more where several running that are alike are one. For any thread.
 *
 * <p>There is one at a time in a process, and none beside a trace.
 */
final class DeviceMessages implements AutoCloseable {
  private static final int MOST = 256;
  private static final int MOST_RUNS = 2000;

  private final Deque<TraceEvent> last = new ArrayDeque<>();
  private final Deque<EventRun> runs = new ArrayDeque<>();

  /** By function: others may have something happen in between. */
  private final Map<String, EventRun> latest = new HashMap<>();

  private long dropped;
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
      EventRun run = latest.get(event.function());
      if (run != null && run.takes(event)) {
        return;
      }
      if (runs.size() == MOST_RUNS) {
        dropped += runs.removeFirst().times();
      }
      run = new EventRun(event);
      runs.addLast(run);
      latest.put(event.function(), run);
    }
  }

  void forget() {
    synchronized (last) {
      last.clear();
      forgetTimeline();
    }
  }

  void forgetTimeline() {
    synchronized (last) {
      runs.clear();
      latest.clear();
      dropped = 0;
    }
  }

  /**
   * What happened since the timeline was forgotten.
   *
   * @param start of the timeline, as {@link System#nanoTime} says it
   */
  Timeline timeline(long start) {
    synchronized (last) {
      return Timeline.of(runs.stream().map(run -> run.event(start)).toList(), dropped);
    }
  }

  /** The last, oldest first. */
  List<TraceEvent> last() {
    List<TraceEvent> events;
    synchronized (last) {
      events = new ArrayList<>(last);
    }
    events.sort(Comparator.comparingLong(TraceEvent::began));
    return events;
  }

  /** A line each, or for several that are alike; oldest first, with milliseconds before now. */
  List<String> lines() {
    List<TraceEvent> events = last();
    long now = System.nanoTime();
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < events.size(); ) {
      TraceEvent event = events.get(i);
      String text = event.function() + ": " + EventRun.text(event);
      int same = 1;
      while (i + same < events.size()
          && text.equals(
              events.get(i + same).function() + ": " + EventRun.text(events.get(i + same)))) {
        same++;
      }
      String times = same == 1 ? "" : ", %d times".formatted(same);
      lines.add("%+.3f ms %s%s".formatted((event.began() - now) / 1e6, text, times));
      i += same;
    }
    return List.copyOf(lines);
  }

  @Override
  public void close() {
    Observers.leave(observer);
  }
}
