package dev.peerbar.devices.nvme.queue;

import java.util.stream.Stream;

/** The workers of one generation, and what each is about. Guarded by the {@link Arbiter}. */
final class IoWorkers {
  /** A watching worker that has been at one command for so long may be stuck with it. */
  private static final long STUCK_NANOS = 200_000;

  private IoWorker[] workers = {};

  void add(IoWorker worker) {
    workers = Stream.concat(Stream.of(workers), Stream.of(worker)).toArray(IoWorker[]::new);
  }

  /** An idle worker, which watches from now on; null if there is none. */
  IoWorker takeIdle() {
    for (IoWorker worker : workers) {
      if (worker.state == IoWorker.State.IDLE) {
        worker.state = IoWorker.State.WATCHING;
        return worker;
      }
    }
    return null;
  }

  /** Whether somebody will look for work soon. */
  boolean watched() {
    for (IoWorker worker : workers) {
      if (worker.state == IoWorker.State.WATCHING && !stuck(worker)) {
        return true;
      }
    }
    return false;
  }

  private static boolean stuck(IoWorker worker) {
    long since = worker.busySince();
    return since != 0 && System.nanoTime() - since > STUCK_NANOS;
  }

  /** How many watch besides one, and are at nothing that takes long. */
  int watchingBeside(IoWorker worker) {
    int watching = 0;
    for (IoWorker other : workers) {
      if (other != worker && other.state == IoWorker.State.WATCHING && !stuck(other)) {
        watching++;
      }
    }
    return watching;
  }

  boolean othersWatch(IoWorker worker) {
    for (IoWorker other : workers) {
      if (other != worker && other.state == IoWorker.State.WATCHING) {
        return true;
      }
    }
    return false;
  }

  int watching() {
    int watching = 0;
    for (IoWorker worker : workers) {
      watching += worker.state == IoWorker.State.WATCHING ? 1 : 0;
    }
    return watching;
  }

  boolean anyUnstarted() {
    for (IoWorker worker : workers) {
      if (worker.batch().unstarted() > 0) {
        return true;
      }
    }
    return false;
  }

  /** Whether one who is away has fetched commands that nobody has begun. */
  boolean anyLeftBehind() {
    for (IoWorker worker : workers) {
      if (worker.state == IoWorker.State.AWAY && worker.hasUnstarted()) {
        return true;
      }
    }
    return false;
  }

  boolean hasUnstarted(int sqid, int commandId) {
    for (IoWorker worker : workers) {
      if (worker.hasUnstarted(sqid, commandId)) {
        return true;
      }
    }
    return false;
  }

  /** Begins a command that a worker has left behind. Returns false if there is none. */
  boolean stealFromAbsent(IoWorker thief) {
    for (IoWorker victim : workers) {
      if (victim.state == IoWorker.State.AWAY && victim != thief && thief.takeFrom(victim)) {
        return true;
      }
    }
    return false;
  }

  /** Begins a command that another worker has not come to. Returns false if there is none. */
  boolean steal(IoWorker thief) {
    for (IoWorker victim : workers) {
      if (victim != thief && thief.takeFrom(victim)) {
        return true;
      }
    }
    return false;
  }
}
