package dev.peerbar.devices.nvme.queue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumMap;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** Whose turn it is. */
final class RotationTest {
  private static final int ENTRIES = 64;

  private static SubmissionQueue queue(int id, Priority priority) {
    return new SubmissionQueue(
        id, ENTRIES, 0, new CompletionQueue(id, ENTRIES, 0, 0, true), priority);
  }

  private static void fill(SubmissionQueue queue) {
    queue.tail = (queue.head + ENTRIES - 1) % ENTRIES;
  }

  /** Takes a turn as an engine does; the commands complete and are taken at once. */
  private static SubmissionQueue take(Rotation rotation) {
    SubmissionQueue queue = rotation.next(Buffers.BATCH);
    queue.head = (queue.head + rotation.granted()) % ENTRIES;
    return queue;
  }

  private static int count(Rotation rotation) {
    take(rotation);
    return rotation.granted();
  }

  @Property(tries = 200, seed = "1")
  void queuesWithWorkHaveEqualShares(
      @ForAll @IntRange(min = 1, max = 16) int queues, @ForAll @IntRange(max = 7) int burstLog2) {
    Rotation rotation = new Rotation(false, new ArbitrationFeature(burstLog2, 0, 0, 0));
    int[] turns = new int[queues + 1];
    SubmissionQueue[] all = new SubmissionQueue[queues];
    for (int i = 0; i < queues; i++) {
      all[i] = queue(i + 1, Priority.values()[i % 4]);
      rotation.add(all[i]);
    }
    for (int i = 0; i < 5 * queues; i++) {
      for (SubmissionQueue queue : all) {
        fill(queue);
      }
      SubmissionQueue turn = take(rotation);
      assertThat(rotation.granted()).isPositive();
      assertThat(rotation.granted())
          .isLessThanOrEqualTo(burstLog2 == 7 ? Buffers.BATCH : 1 << burstLog2);
      turns[turn.id]++;
    }
    for (int i = 1; i <= queues; i++) {
      assertThat(turns[i]).isEqualTo(5);
    }
  }

  @Property(tries = 100, seed = "1")
  void classesHaveTheirWeights(
      @ForAll @IntRange(max = 30) int low,
      @ForAll @IntRange(max = 30) int medium,
      @ForAll @IntRange(max = 30) int high,
      @ForAll @IntRange(max = 5) int burstLog2) {
    Rotation rotation = new Rotation(true, new ArbitrationFeature(burstLog2, low, medium, high));
    Map<Priority, Integer> commands = new EnumMap<>(Priority.class);
    SubmissionQueue[] all = {
      queue(1, Priority.LOW), queue(2, Priority.MEDIUM), queue(3, Priority.HIGH)
    };
    for (SubmissionQueue queue : all) {
      rotation.add(queue);
    }
    int rounds = 20;
    int total = rounds * (low + medium + high + 3);
    for (int taken = 0; taken < total; ) {
      for (SubmissionQueue queue : all) {
        // All contiguous, so that only weight and burst bound a turn.
        queue.head = 0;
        fill(queue);
      }
      SubmissionQueue turn = take(rotation);
      taken += rotation.granted();
      commands.merge(turn.priority, rotation.granted(), Integer::sum);
    }
    assertThat(commands)
        .isEqualTo(
            Map.of(
                Priority.LOW, rounds * (low + 1),
                Priority.MEDIUM, rounds * (medium + 1),
                Priority.HIGH, rounds * (high + 1)));
  }

  @Test
  void urgentGoesBeforeAll() {
    Rotation rotation = new Rotation(true, ArbitrationFeature.DEFAULT);
    SubmissionQueue urgent = queue(1, Priority.URGENT);
    SubmissionQueue high = queue(2, Priority.HIGH);
    rotation.add(high);
    rotation.add(urgent);
    fill(high);
    fill(urgent);
    for (int left = ENTRIES - 1; left > 0; ) {
      SubmissionQueue turn = take(rotation);
      assertThat(turn).isSameAs(urgent);
      left -= rotation.granted();
    }
    assertThat(take(rotation)).isSameAs(high);
  }

  @Test
  void aTurnEndsAtTheEndOfTheQueueAndOfTheCompletionQueue() {
    Rotation rotation = new Rotation(false, new ArbitrationFeature(7, 0, 0, 0));
    SubmissionQueue queue = queue(1, Priority.LOW);
    rotation.add(queue);
    queue.head = ENTRIES - 3;
    queue.tail = 5;
    assertThat(count(rotation)).isEqualTo(3);
    assertThat(count(rotation)).isEqualTo(5);
    assertThat(rotation.next(8)).isNull();
    fill(queue);
    queue.completions.reserved = ENTRIES - 3;
    assertThat(count(rotation)).isEqualTo(2);
    queue.completions.reserved = ENTRIES - 1;
    assertThat(rotation.next(8)).isNull();
    assertThat(rotation.waiting()).isFalse();
    assertThat(rotation.markStarved()).isTrue();
    assertThat(rotation.markStarved()).isFalse();
  }

  @Test
  void aQueueThatIsBeingReadWaits() {
    Rotation rotation = new Rotation(false, ArbitrationFeature.DEFAULT);
    SubmissionQueue queue = queue(1, Priority.LOW);
    rotation.add(queue);
    fill(queue);
    queue.fetching = true;
    assertThat(rotation.next(8)).isNull();
  }
}
