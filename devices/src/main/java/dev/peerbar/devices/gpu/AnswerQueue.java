package dev.peerbar.devices.gpu;

import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.virtio.VirtioRequest;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;

/**
 * Gives requests of a queue back in their order, some of them late. There are never more of them
 * than the queue has descriptors. For the engine's thread.
 */
final class AnswerQueue {
  private final Consumer<Duration> timer;
  private final Deque<Answer> waiting = new ArrayDeque<>();

  /** Its bytes are in client memory already, where the driver does not look for them yet. */
  private record Answer(VirtioRequest request, long written, Duration late) {

    boolean atOnce() {
      return late.isZero();
    }

    boolean never() {
      return late.equals(AnswerDelays.NEVER);
    }
  }

  /**
   * @param timer has {@link #expired} be called by a job, later; for the function's thread
   */
  AnswerQueue(Consumer<Duration> timer) {
    this.timer = timer;
  }

  /**
   * Gives a request back, after all before it.
   *
   * @param late by how much, from when it could be given back
   */
  void add(Job job, VirtioRequest request, long written, Duration late) throws JobEndedException {
    waiting.add(new Answer(request, written, late));
    if (waiting.size() == 1) {
      giveBack(job);
    }
  }

  /** The time of the first one has passed. */
  void expired(Job job) throws JobEndedException {
    complete(job);
    giveBack(job);
  }

  private void giveBack(Job job) throws JobEndedException {
    while (!waiting.isEmpty() && waiting.getFirst().atOnce()) {
      complete(job);
    }
    if (!waiting.isEmpty() && !waiting.getFirst().never()) {
      Duration late = waiting.getFirst().late();
      job.update(() -> timer.accept(late));
    }
  }

  private void complete(Job job) throws JobEndedException {
    Answer answer = waiting.removeFirst();
    answer.request().complete(job, answer.written());
  }
}
