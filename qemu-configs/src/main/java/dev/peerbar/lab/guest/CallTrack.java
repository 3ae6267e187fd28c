package dev.peerbar.lab.guest;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Calls since a moment, for a person to look at: runs of calls that are alike are one, so that
 * thousands of loads neither cost much nor hide the rest. Guarded by the history that has it.
 */
final class CallTrack {
  /** Runs that are kept: the last. */
  static final int LENGTH = 2000;

  private final Deque<Run> runs = new ArrayDeque<>();
  private long dropped;

  /** Calls that are alike, in the order in which they ended. */
  static final class Run {
    final CallHistory.Entry first;
    CallHistory.Entry last;
    long times = 1;

    Run(CallHistory.Entry first) {
      this.first = first;
      last = first;
    }
  }

  void clear() {
    runs.clear();
    dropped = 0;
  }

  /** A call has ended. */
  void add(CallHistory.Entry entry) {
    Run run = runs.peekLast();
    if (run != null && run.last.isAlike(entry)) {
      run.last = entry;
      run.times++;
      return;
    }
    if (runs.size() == LENGTH) {
      dropped += runs.removeFirst().times;
    }
    runs.addLast(new Run(entry));
  }

  Iterable<Run> runs() {
    return runs;
  }

  /** Calls that were left out. */
  long dropped() {
    return dropped;
  }
}
