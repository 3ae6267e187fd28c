package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.entry.Status;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.Set;

/**
 * Asynchronous events of one generation (NVMe 1.4 5.2): requests that wait for an event, and events
 * that wait for a request. An event that was told masks its type until the log page is read.
 */
final class AsyncEvents {
  /** Requests that may wait at once: AERL + 1. */
  static final int MOST_REQUESTS = 4;

  private final Deque<AdminCommand> requests = new ArrayDeque<>();
  private final Set<AsyncEvent> pending = EnumSet.noneOf(AsyncEvent.class);
  private final Set<AsyncEvent.Type> masked = EnumSet.noneOf(AsyncEvent.Type.class);

  /** Asynchronous Event Request. */
  void request(AdminCommand command) {
    if (requests.size() == MOST_REQUESTS) {
      command.end(Status.ASYNCHRONOUS_EVENT_REQUEST_LIMIT_EXCEEDED);
      return;
    }
    requests.add(command);
    tell();
  }

  /** Something happened. What happens again before it was told is told once. */
  void report(AsyncEvent event) {
    pending.add(event);
    tell();
  }

  /**
   * A log page goes to the host as it is at this moment, without Retain Asynchronous Event. What it
   * explains need not be told any more.
   */
  void logRead(LogPage page) {
    pending.removeIf(event -> event.type().log() == page);
    masked.removeIf(type -> type.log() == page);
  }

  /** Completes a waiting request as aborted; says whether there was one of this identifier. */
  boolean abort(int commandId) {
    for (Iterator<AdminCommand> at = requests.iterator(); at.hasNext(); ) {
      AdminCommand request = at.next();
      if (request.entry().commandId() == commandId) {
        at.remove();
        request.end(Status.COMMAND_ABORT_REQUESTED);
        return true;
      }
    }
    return false;
  }

  private void tell() {
    for (Iterator<AsyncEvent> at = pending.iterator(); at.hasNext() && !requests.isEmpty(); ) {
      AsyncEvent event = at.next();
      if (masked.add(event.type())) {
        at.remove();
        requests.remove().succeed(event.dword0());
      }
    }
  }
}
