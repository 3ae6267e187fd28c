package dev.peerbar.scenario;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What happened while a scenario was tried, in the guest and at the endpoints, side by side.
 *
 * @param events by the time when they began
 * @param dropped how many more there were: none of the first or last, but for calls and messages of
 *     which only the last are kept anywhere
 */
public record Timeline(List<Event> events, long dropped) {
  /** Nothing is known. */
  public static final Timeline NONE = new Timeline(List.of(), 0);

  /** The lane of the guest's calls. */
  public static final String GUEST = "guest";

  /** Kinds of events. */
  public enum Kind {
    /** The guest's agent was asked for something. */
    CALL,
    /** A vfio-user request and its reply. */
    MESSAGE,
    /** An engine moved bytes. */
    TRANSFER,
    INTERRUPT,
    RESET
  }

  /**
   * Something that happened once, or several times running.
   *
   * @param lane the endpoint's name, or {@link #GUEST}
   * @param at when it began, or the first, after the beginning of the scenario
   * @param took until it ended, or the last
   * @param times at least 1
   * @param failed whether it was refused, met a fault or did not end
   * @param text a line for people
   */
  public record Event(
      String lane,
      Kind kind,
      Duration at,
      Duration took,
      long times,
      boolean failed,
      String text) {}

  public Timeline {
    events = List.copyOf(events);
  }

  /** With its events in order. */
  static Timeline of(List<Event> events, long dropped) {
    return new Timeline(events.stream().sorted(Comparator.comparing(Event::at)).toList(), dropped);
  }

  /** The same with so many events at most: the first and the last. */
  public Timeline atMost(int most) {
    if (events.size() <= most) {
      return this;
    }
    int first = most / 2;
    List<Event> some = new ArrayList<>(events.subList(0, first));
    some.addAll(events.subList(events.size() - (most - first), events.size()));
    long left =
        events.subList(first, events.size() - (most - first)).stream()
            .mapToLong(Event::times)
            .sum();
    return new Timeline(some, dropped + left);
  }
}
