package dev.peerbar.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.server.events.InterruptEvent;
import dev.peerbar.server.events.TransferEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;

/** What endpoints did, as a timeline has it. */
@ResourceLock("observers")
class TimelineTest {
  private enum Index {
    MSIX
  }

  private static void transfer(String function, String fault) {
    TransferEvent event =
        TransferEvent.start(function, "channel 0", TransferEvent.Access.COPY, 0x1000, 0x2000, 64);
    if (fault != null) {
      event.stopped(fault, 0x1010);
    }
    event.finish(fault == null ? 64 : 16, true, false);
  }

  private static void interrupt(String function) {
    InterruptEvent.tell(function, Index.MSIX, 1, InterruptEvent.Outcome.DELIVERED);
  }

  @Test
  void whatIsAlikeIsOneAndTheOthersAreInOrder() {
    long start = System.nanoTime();
    try (DeviceMessages messages = DeviceMessages.observe()) {
      for (int i = 0; i < 5; i++) {
        transfer("a", null);
        interrupt("b");
      }
      transfer("a", "WRITE");
      transfer("a", "WRITE");
      transfer("a", null);
      List<Timeline.Event> events = messages.timeline(start).events();
      assertThat(events)
          .extracting(Timeline.Event::lane, Timeline.Event::times, Timeline.Event::failed)
          .containsExactly(
              org.assertj.core.groups.Tuple.tuple("a", 5L, false),
              org.assertj.core.groups.Tuple.tuple("b", 5L, false),
              org.assertj.core.groups.Tuple.tuple("a", 1L, true),
              org.assertj.core.groups.Tuple.tuple("a", 1L, true),
              org.assertj.core.groups.Tuple.tuple("a", 1L, false));
      assertThat(events.getFirst().text()).endsWith("; 320 bytes in all");
      assertThat(events).allMatch(e -> !e.at().isNegative() && !e.took().isNegative());
      messages.forget();
      assertThat(messages.timeline(start)).isEqualTo(Timeline.NONE);
    }
  }

  @Test
  void itIsBoundedAndCountsWhatItLeavesOut() {
    try (DeviceMessages messages = DeviceMessages.observe()) {
      for (int i = 0; i < 10_000; i++) {
        transfer("a", null);
        transfer("a", "READ");
      }
      Timeline timeline = messages.timeline(0);
      assertThat(timeline.events()).hasSize(2000);
      assertThat(timeline.dropped()).isEqualTo(18_000);
    }
  }

  @Test
  void aShorterOneHasTheFirstAndTheLast() {
    List<Timeline.Event> events = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      events.add(
          new Timeline.Event(
              "a", Timeline.Kind.RESET, Duration.ofMillis(i), Duration.ZERO, 2, false, "" + i));
    }
    Timeline some = new Timeline(events, 5).atMost(4);
    assertThat(some.events()).extracting(Timeline.Event::text).containsExactly("0", "1", "8", "9");
    assertThat(some.dropped()).isEqualTo(5 + 12);
    assertThat(some.atMost(4)).isSameAs(some);
    assertThat(some.atMost(0)).isEqualTo(new Timeline(List.of(), 17 + 8));
  }
}
