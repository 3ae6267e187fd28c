package dev.peerbar.lab.guest;

/**
 * A call, or several that one thread made one after the other and that were alike: the same
 * operation or system call, all ended well.
 *
 * @param first of them
 * @param last of them; the same if it is one
 * @param times how many
 * @param began when the first began, as {@link System#nanoTime} says it
 * @param ended when the last one's caller had the outcome, or until when it is known to be under
 *     way, likewise
 */
public record CallRun(CallRecord first, CallRecord last, long times, long began, long ended) {

  /** What it was, and what came of it, in a line without numbers of calls. */
  public String words() {
    String one = first.call() + outcome(first);
    if (times == 1) {
      return one;
    }
    String other = last.call() + outcome(last);
    return one.equals(other) ? one : "%s … %s".formatted(one, other);
  }

  private static String outcome(CallRecord call) {
    String outcome =
        switch (call.state()) {
          case UNDER_WAY -> "under way";
          case ENDED -> "done".equals(call.outcome()) ? "" : call.outcome();
          case GIVEN_UP -> call.outcome() + "; still under way";
          case ANSWERED_LATE -> call.outcome() + "; answered late";
        };
    return outcome.isEmpty() ? "" : ": " + outcome;
  }

  /** Whether it did not end, or ended with an exception. */
  public boolean failed() {
    return last.state() != CallRecord.State.ENDED || last.threw();
  }
}
