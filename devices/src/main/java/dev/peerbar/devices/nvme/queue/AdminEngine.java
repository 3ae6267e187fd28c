package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.GuardedWork;
import java.util.HashSet;
import java.util.Set;

/**
 * The admin engine during one generation: jobs in the order they are given. For the function's
 * thread.
 */
final class AdminEngine {
  private final QueueEngines.BufferedEngine buffered;
  private final Events events;
  private final Set<Engine.Ticket> tickets = new HashSet<>();
  private boolean over;

  /** What there is to do on the engine's thread, and what to do it with. */
  interface Task {
    /**
     * @throws DmaFaultException if the host's queues or doorbells cannot be reached
     */
    void run(Job job, Buffers buffers) throws DmaFaultException, JobEndedException;
  }

  AdminEngine(QueueEngines.BufferedEngine buffered, Events events) {
    this.buffered = buffered;
    this.events = events;
  }

  void submit(Task task) {
    if (over) {
      return;
    }
    Engine.Ticket[] ticket = new Engine.Ticket[1];
    GuardedWork work =
        new GuardedWork(
            job -> {
              task.run(job, buffered.buffers());
              job.update(() -> tickets.remove(ticket[0]));
            },
            this::failed);
    ticket[0] = work.submitTo(buffered.engine());
    tickets.add(ticket[0]);
  }

  private void failed(Throwable cause) {
    if (!over) {
      events.fatal(Events.why("an admin queue", cause));
    }
  }

  /** Hands a change to the function's thread, for as long as the generation lasts. */
  void update(Job job, Runnable change) throws JobEndedException {
    job.update(() -> {
      if (!over) {
        change.run();
      }
    });
  }

  boolean over() {
    return over;
  }

  void end() {
    over = true;
    tickets.forEach(Engine.Ticket::end);
    tickets.clear();
  }
}
