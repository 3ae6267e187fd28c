package dev.peerbar.server.function;

import dev.peerbar.endpoint.Engine;
import java.util.ArrayList;
import java.util.List;

/** The {@link PolledJob}s of a function. For its thread, but for {@link #polling}. */
final class PolledJobs {
  private final Engine.Polling polling;

  // Another one at each change: a job may end others, and begin some, while they are gone through.
  private PolledJob[] jobs = {};

  PolledJobs(Engine.Polling polling) {
    this.polling = polling;
  }

  Engine.Polling polling() {
    return polling;
  }

  void add(PolledJob job) {
    List<PolledJob> all = new ArrayList<>(List.of(jobs));
    all.add(job);
    jobs = all.toArray(PolledJob[]::new);
  }

  void remove(PolledJob job) {
    List<PolledJob> all = new ArrayList<>(List.of(jobs));
    all.remove(job);
    jobs = all.toArray(PolledJob[]::new);
  }

  /** Does a piece of the work of each. Returns whether there was any. */
  boolean poll() {
    boolean any = false;
    for (PolledJob job : jobs) {
      any |= job.poll();
    }
    return any;
  }

  /** There will be no look for a while. Returns false if there is something to do first. */
  boolean rest() {
    for (PolledJob job : jobs) {
      if (!job.rest()) {
        return false;
      }
    }
    return true;
  }

  void endAll() {
    for (PolledJob job : jobs) {
      job.end();
    }
  }
}
