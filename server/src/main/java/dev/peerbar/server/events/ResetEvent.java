package dev.peerbar.server.events;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Threshold;

/** A reset of a function. For the function's thread. */
@Name("dev.peerbar.Reset")
@Label("Reset")
@Description("A reset, from its beginning, with the drain of copies in flight, to its end")
@Category({"Peerbar", "Function"})
@StackTrace(false)
@Threshold("0 ns")
public final class ResetEvent extends Event implements TraceEvent {
  private static final ResetEvent PROBE = new ResetEvent("", "");

  @Label("Function")
  private final String function;

  @Label("Kind")
  private final String kind;

  @Label("Jobs Ended")
  @Description("Work of engines that was queued or running")
  private int jobsEnded;

  private final transient long began;
  private transient long ended;

  private ResetEvent(String function, String kind) {
    this.function = function;
    this.kind = kind;
    begin();
    this.began = System.nanoTime();
  }

  /** A reset begins. Returns null if nobody wants to know. */
  public static ResetEvent start(String function, Enum<?> kind) {
    return PROBE.isEnabled() || Observers.present() ? new ResetEvent(function, kind.name()) : null;
  }

  /** It is over: nothing more is said of it. */
  public void finish(int newJobsEnded) {
    end();
    ended = System.nanoTime();
    jobsEnded = newJobsEnded;
    if (shouldCommit()) {
      commit();
    }
    Observers.tell(this);
  }

  @Override
  public String function() {
    return function;
  }

  public String kind() {
    return kind;
  }

  public int jobsEnded() {
    return jobsEnded;
  }

  @Override
  public long began() {
    return began;
  }

  @Override
  public long ended() {
    return ended;
  }
}
