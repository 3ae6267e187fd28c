package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.function.Predicate;

/**
 * Commands that take long and were fetched while as many as may were under way, in that order.
 * Guarded by the {@link Arbiter}.
 */
final class PutAside {
  /**
   * From so many on no more is fetched from their queues, but for what a batch brings. Linux has a
   * thousand under way in each of some queues when it discards a large disk.
   */
  private static final int CROWD = 16 << 10;

  private final Deque<Waiting> commands = new ArrayDeque<>();

  /**
   * @param entry nobody else's
   */
  record Waiting(SubmissionQueue queue, SubmissionEntry entry) {}

  void add(SubmissionQueue queue, SubmissionEntry entry) {
    commands.add(new Waiting(queue, entry.copy()));
    queue.aside++;
  }

  boolean isCrowded() {
    return commands.size() >= CROWD;
  }

  boolean isEmpty() {
    return commands.isEmpty();
  }

  boolean has(Predicate<Waiting> wanted) {
    return commands.stream().anyMatch(wanted);
  }

  /** The first of those that are wanted, which is not here any more; null if there is none. */
  Waiting take(Predicate<Waiting> wanted) {
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
