package dev.peerbar.server.function;

import java.util.List;
import java.util.function.Consumer;

/**
 * What a function has its thread look for beside messages: doorbells in shared memory, and the work
 * of {@link PolledJobs}. While there is a client, and until what that has left behind is done: it
 * must not wait for the memory of the next one.
 */
public final class FunctionPoller {
  private final DoorbellPage[] pages;
  private final PolledJobs jobs;
  private final Consumer<Throwable> failure;

  private volatile boolean client;

  /** Whether a client has gone, and it is not known that nothing is left to do. */
  private volatile boolean leftBehind;

  /**
   * @param failure told what ringing a doorbell threw
   */
  FunctionPoller(List<DoorbellPage> pages, PolledJobs jobs, Consumer<Throwable> failure) {
    this.pages = pages.toArray(DoorbellPage[]::new);
    this.jobs = jobs;
    this.failure = failure;
  }

  /** There is a client from now on. For the function's thread. */
  void clientCame() {
    client = true;
  }

  /** The client has gone. For the function's thread. */
  void clientGone() {
    leftBehind |= client;
    client = false;
  }

  /** Nothing is looked for any more. For the function's thread. */
  void stop() {
    client = false;
    leftBehind = false;
  }

  /**
   * Whether there is anything to look for; whoever changes that wakes the thread. For any thread.
   */
  public boolean active() {
    return client || leftBehind;
  }

  /** Whether a doorbell seems to have been stored to. For any thread: it may be wrong, once. */
  public boolean rings() {
    for (DoorbellPage page : pages) {
      if (page.rings()) {
        return true;
      }
    }
    return false;
  }

  /** Rings what has been stored to, and does a turn of each job. Returns whether there was any. */
  public boolean run() {
    // An event loop may look once more after this has changed.
    if (!active()) {
      return false;
    }
    boolean any = false;
    try {
      for (DoorbellPage page : pages) {
        any |= page.scan();
      }
    } catch (RuntimeException | Error e) {
      // Those that were not rung are the next time.
      any = true;
      failure.accept(e);
    }
    any |= jobs.poll();
    if (!any) {
      leftBehind = false;
    }
    return any;
  }

  /** There will be no look for a while. Returns false if there is something to do first. */
  public boolean rest() {
    return jobs.rest();
  }
}
