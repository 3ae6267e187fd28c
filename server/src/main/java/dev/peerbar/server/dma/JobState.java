package dev.peerbar.server.dma;

import dev.peerbar.endpoint.JobEndedException;
import java.util.LinkedHashSet;
import java.util.Set;

/** Whether a job may still act, and what it has on the wire. */
public final class JobState {
  private volatile boolean ended;
  // The messages in flight: the function's thread only.
  private final Set<MessagePath.Exchange> exchanges = new LinkedHashSet<>();

  public boolean ended() {
    return ended;
  }

  public void check() throws JobEndedException {
    if (ended) {
      throw new JobEndedException();
    }
  }

  /**
   * Ends the job: no step begins from now on, no message is sent, nobody waits. Steps in flight are
   * the caller's to drain. For the function's thread.
   */
  public void end() {
    // In this order: an engine that finds its job ended may free the memory that messages lent.
    abandon();
    synchronized (this) {
      ended = true;
      notifyAll();
    }
  }

  /** Gives up the messages in flight. For the function's thread. */
  void abandon() {
    exchanges.forEach(MessagePath.Exchange::abandon);
    exchanges.clear();
  }

  void add(MessagePath.Exchange exchange) {
    exchanges.add(exchange);
  }

  void remove(MessagePath.Exchange exchange) {
    exchanges.remove(exchange);
  }
}
