package dev.peerbar.devices.nvme.queue;

import java.util.ArrayList;
import java.util.List;

/**
 * The submission queues whose turn it is, one class of priority after another (NVMe 1.4 4.13).
 * Guarded by the {@link Arbiter}.
 *
 * <p>Plain round robin has one class. In weighted round robin the urgent class goes before all
 * others; each of the others has as many credits as its weight says, a command each, and all get
 * new ones when none that has work has any left.
 */
final class Rotation {
  private static final int CLASSES = Priority.values().length;

  private final boolean weighted;
  private final List<List<SubmissionQueue>> classes = new ArrayList<>();

  /** By class: where the last turn was. */
  private final int[] last = new int[CLASSES];

  /** By class: commands that may be taken before other classes had their share. */
  private final int[] credits = new int[CLASSES];

  private ArbitrationFeature feature;
  private boolean crowded;
  private int granted;

  Rotation(boolean weighted, ArbitrationFeature feature) {
    this.weighted = weighted;
    for (int i = 0; i < CLASSES; i++) {
      classes.add(new ArrayList<>());
    }
    feature(feature);
  }

  void feature(ArbitrationFeature newFeature) {
    feature = newFeature;
    refill();
  }

  void add(SubmissionQueue queue) {
    classOf(queue).add(queue);
  }

  void remove(SubmissionQueue queue) {
    classOf(queue).remove(queue);
  }

  private List<SubmissionQueue> classOf(SubmissionQueue queue) {
    return classes.get(weighted ? queue.priority.ordinal() : 0);
  }

  /** Whether a queue has a command to fetch and room for its completion. */
  boolean waiting() {
    for (List<SubmissionQueue> queues : classes) {
      for (SubmissionQueue queue : queues) {
        if (eligible(queue)) {
          return true;
        }
      }
    }
    return false;
  }

  /**
   * The queue whose turn it is; null if none has any entries. {@link #granted} says how many of
   * them, contiguous ones, are its turn.
   *
   * @param most entries
   */
  SubmissionQueue next(int most) {
    int burst =
        feature.burstLog2() == ArbitrationFeature.NO_LIMIT ? most : 1 << feature.burstLog2();
    int limit = Math.min(most, burst);
    SubmissionQueue urgent = turn(0);
    if (urgent != null) {
      return give(urgent, limit);
    }
    SubmissionQueue turn = weightedTurn(limit);
    if (turn == null && weighted) {
      refill();
      turn = weightedTurn(limit);
    }
    return turn;
  }

  /** How many entries the last turn was given. */
  int granted() {
    return granted;
  }

  private SubmissionQueue weightedTurn(int limit) {
    for (int i = 1; i < CLASSES; i++) {
      if (credits[i] > 0) {
        SubmissionQueue queue = turn(i);
        if (queue != null) {
          give(queue, Math.min(limit, credits[i]));
          credits[i] -= granted;
          return queue;
        }
      }
    }
    return null;
  }

  private void refill() {
    credits[Priority.HIGH.ordinal()] = feature.highWeight() + 1;
    credits[Priority.MEDIUM.ordinal()] = feature.mediumWeight() + 1;
    credits[Priority.LOW.ordinal()] = feature.lowWeight() + 1;
  }

  private SubmissionQueue turn(int index) {
    List<SubmissionQueue> queues = classes.get(index);
    int size = queues.size();
    for (int step = 1; step <= size; step++) {
      int at = (last[index] + step) % size;
      if (eligible(queues.get(at))) {
        last[index] = at;
        return queues.get(at);
      }
    }
    return null;
  }

  private SubmissionQueue give(SubmissionQueue queue, int limit) {
    int contiguous = Math.min(queue.pending(), queue.entries - queue.head);
    granted = Math.min(limit, Math.min(contiguous, queue.completions.free()));
    return queue;
  }

  /**
   * Whether nothing is to be fetched from queues that have commands put aside.
   *
   * @return whether something may be that was not to be before
   */
  boolean crowded(boolean now) {
    boolean over = crowded && !now;
    crowded = now;
    return over;
  }

  private boolean eligible(SubmissionQueue queue) {
    return !queue.fetching
        && queue.pending() > 0
        && queue.completions.free() > 0
        && (queue.aside == 0 || !crowded);
  }

  /** Marks the completion queues without a free slot that commands wait for. Returns if any new. */
  boolean markStarved() {
    boolean marked = false;
    for (List<SubmissionQueue> queues : classes) {
      for (SubmissionQueue queue : queues) {
        CompletionQueue completions = queue.completions;
        if (!completions.starved && queue.pending() > 0 && completions.free() <= 0) {
          completions.starved = true;
          marked = true;
        }
      }
    }
    return marked;
  }
}
