package dev.peerbar.devices.nvme.queue;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.Job;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Which completions interrupt, and when. */
final class CompletionInterruptsTest {
  private static final int ENTRIES = 16;

  private final List<Integer> raised = new ArrayList<>();
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 1000);
  private final AtomicBoolean pin = new AtomicBoolean();
  private final Set<Integer> uncoalesced = new HashSet<>();
  private final Arbiter arbiter = new Arbiter(false, ArbitrationFeature.DEFAULT, 1, null);
  private final CompletionInterrupts interrupts =
      new CompletionInterrupts(
          new QueueSettings(
              4096,
              ENTRIES,
              4,
              5,
              false,
              ArbitrationFeature.DEFAULT,
              0,
              2,
              0,
              2,
              pin::get,
              uncoalesced::contains),
          arbiter,
          now::get);
  private final CompletionQueue queue = queue(1, 3, true);

  private final Job job =
      new Job() {
        @Override
        public Dma dma() {
          throw new UnsupportedOperationException();
        }

        @Override
        public void update(Runnable change) {
          throw new UnsupportedOperationException();
        }

        @Override
        public void raise(int vector) {
          raised.add(vector);
        }

        @Override
        public boolean signal(int vector) {
          throw new UnsupportedOperationException();
        }
      };

  private CompletionQueue queue(int id, int vector, boolean interrupts) {
    CompletionQueue added = new CompletionQueue(id, ENTRIES, 0, vector, interrupts);
    arbiter.add(added);
    return added;
  }

  private static void complete(CompletionQueue completions) {
    completions.takeSlot();
    completions.unraised = true;
  }

  /** Returns whether anything was raised. */
  private boolean completeAndRaise(CompletionQueue completions) throws Exception {
    complete(completions);
    return interrupts.raise(job, false);
  }

  @Test
  void theFirstInterruptsAndStandsForTheNextUntilTheHostAnswers() throws Exception {
    assertThat(completeAndRaise(queue)).isTrue();
    assertThat(raised).containsExactly(3);
    assertThat(interrupts.held()).isFalse();
    assertThat(completeAndRaise(queue)).isFalse();
    assertThat(completeAndRaise(queue)).isFalse();
    assertThat(raised).hasSize(1);
    assertThat(interrupts.held()).isTrue();
    // It may have looked for more before it said what it took.
    assertThat(queue.moveHead(1)).isTrue();
    assertThat(interrupts.raise(job, false)).isTrue();
    assertThat(raised).containsExactly(3, 3);
    assertThat(interrupts.held()).isFalse();
    assertThat(interrupts.raise(job, false)).as("that was all").isFalse();
  }

  @Test
  void whatIsAnsweredStandsForNothing() throws Exception {
    for (int head = 1; head <= 4; head++) {
      assertThat(completeAndRaise(queue)).isTrue();
      assertThat(queue.moveHead(head)).isTrue();
    }
    assertThat(raised).hasSize(4);
  }

  @Test
  void aHeadThatCannotBeIsNoAnswer() throws Exception {
    completeAndRaise(queue);
    assertThat(queue.moveHead(9)).isFalse();
    assertThat(completeAndRaise(queue)).isFalse();
  }

  @Test
  void aHostThatTakesTooLongIsInterruptedAgain() throws Exception {
    completeAndRaise(queue);
    now.addAndGet(CompletionInterrupts.STANDS_NANOS - 1);
    assertThat(completeAndRaise(queue)).isFalse();
    now.incrementAndGet();
    assertThat(interrupts.raise(job, false)).isTrue();
    assertThat(raised).hasSize(2);
    // And that one stands again.
    assertThat(completeAndRaise(queue)).isFalse();
  }

  @Test
  void nothingIsHeldBackByWhomeverWillNotLookAgain() throws Exception {
    completeAndRaise(queue);
    completeAndRaise(queue);
    assertThat(interrupts.raise(job, true)).isTrue();
    assertThat(raised).hasSize(2);
    assertThat(interrupts.held()).isFalse();
    assertThat(interrupts.raise(job, true)).isFalse();
  }

  @Test
  void queuesDoNotStandForEachOther() throws Exception {
    CompletionQueue other = queue(2, 4, true);
    completeAndRaise(queue);
    complete(queue);
    assertThat(completeAndRaise(other)).isTrue();
    assertThat(raised).containsExactly(3, 4);
    assertThat(interrupts.held()).as("one of the first").isTrue();
    assertThat(other.moveHead(1)).isTrue();
    assertThat(completeAndRaise(other)).isTrue();
    assertThat(raised).containsExactly(3, 4, 4);
  }

  @Test
  void aQueueWithoutInterruptsHasNone() throws Exception {
    CompletionQueue silent = queue(2, 4, false);
    assertThat(completeAndRaise(silent)).isFalse();
    assertThat(completeAndRaise(silent)).isFalse();
    assertThat(interrupts.held()).isFalse();
    assertThat(silent.unraised).isFalse();
    assertThat(raised).isEmpty();
  }

  @Test
  void thePinFollowsEachEntry() throws Exception {
    pin.set(true);
    assertThat(interrupts.pinInUse()).isTrue();
    assertThat(completeAndRaise(queue)).isTrue();
    assertThat(completeAndRaise(queue)).isTrue();
    pin.set(false);
    assertThat(interrupts.pinInUse()).isFalse();
    assertThat(completeAndRaise(queue)).isFalse();
    // What the host was told last is what its queues are still treated by.
    arbiter.pinInUse(true);
    assertThat(interrupts.pinInUse()).isTrue();
    assertThat(interrupts.raise(job, false)).isTrue();
  }

  @Test
  void aVectorWithoutCoalescingInterruptsForEachEntry() throws Exception {
    uncoalesced.add(3);
    CompletionQueue other = queue(2, 4, true);
    completeAndRaise(other);
    completeAndRaise(queue);
    assertThat(completeAndRaise(queue)).isTrue();
    assertThat(completeAndRaise(other)).isFalse();
    assertThat(raised).containsExactly(4, 3, 3);
  }
}
