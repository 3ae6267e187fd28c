package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.function.Predicate;

/**
 * Commands that wait for a worker: those that take long, fetched while as many as may were under
 * way, and those that nobody may execute who must not wait. In the order in which they came, each
 * kind. Guarded by the {@link Arbiter}.
 */
final class PutAside {
  /**
   * From so many on no more is fetched from their queues, but for what a batch brings. Linux has a
   * thousand under way in each of some queues when it discards a large disk.
   */
  private static final int CROWD = 16 << 10;

  private final Deque<Waiting> longOnes = new ArrayDeque<>();
  private final Deque<Waiting> others = new ArrayDeque<>();

  /**
   * @param entry nobody else's
   */
  record Waiting(SubmissionQueue queue, SubmissionEntry entry) {}

  void add(SubmissionQueue queue, SubmissionEntry entry, boolean takesLong) {
    (takesLong ? longOnes : others).add(new Waiting(queue, entry.copy()));
    queue.aside++;
  }

  boolean isCrowded() {
    return longOnes.size() + others.size() >= CROWD;
  }

  boolean hasLong() {
    return !longOnes.isEmpty();
  }

  /** How many do not take long. */
  int others() {
    return others.size();
  }

  boolean has(Predicate<Waiting> wanted) {
    return longOnes.stream().anyMatch(wanted) || others.stream().anyMatch(wanted);
  }

  /** The first of those that are wanted, which is not here any more; null if there is none. */
  Waiting take(Predicate<Waiting> wanted) {
    Waiting command = take(others, wanted);
    return command != null ? command : take(longOnes, wanted);
  }

  /**
   * The first of those that take long, or else of the others, which is not here any more; null if
   * there is none. In this order, as there is always a worker for the others.
   *
   * @param longToo whether one that takes long may be taken
   */
  Waiting take(boolean longToo) {
    Waiting command = longToo ? longOnes.poll() : null;
    if (command == null) {
      command = others.poll();
    }
    if (command != null) {
      command.queue.aside--;
    }
    return command;
  }

  private static Waiting take(Deque<Waiting> commands, Predicate<Waiting> wanted) {
    for (Iterator<Waiting> all = commands.iterator(); all.hasNext(); ) {
      Waiting command = all.next();
      if (wanted.test(command)) {
        all.remove();
        command.queue.aside--;
        return command;
      }
    }
    return null;
  }
}
