package dev.peerbar.devices.nvme.queue;

import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Commands that the host wishes aborted before they begin. Guarded by the {@link Arbiter}. */
final class AbortWishes {
  private final List<Wish> wishes = new ArrayList<>();

  private record Wish(int sqid, int commandId, Consumer<Boolean> done) {}

  void add(int sqid, int commandId, Consumer<Boolean> done) {
    wishes.add(new Wish(sqid, commandId, done));
  }

  boolean isEmpty() {
    return wishes.isEmpty();
  }

  boolean has(int sqid, SubmissionEntry command) {
    return !wishes.isEmpty() && find(sqid, command) != null;
  }

  private Wish find(int sqid, SubmissionEntry command) {
    int commandId = command.commandId();
    for (Wish wish : wishes) {
      if (wish.sqid == sqid && wish.commandId == commandId) {
        return wish;
      }
    }
    return null;
  }

  /** Whoever is to be told that a command is aborted; null if nobody has wished that. */
  Consumer<Boolean> take(int sqid, SubmissionEntry command) {
    // Almost always: reading the identifier is spared.
    if (wishes.isEmpty()) {
      return null;
    }
    Wish wish = find(sqid, command);
    if (wish == null) {
      return null;
    }
    wishes.remove(wish);
    return wish.done;
  }
}
