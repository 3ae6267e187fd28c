package dev.peerbar.lab.guest;

import dev.peerbar.lab.guest.CallRecord.State;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The last calls, and all that are under way. May be used from any thread. */
final class CallHistory {
  /** Calls that are remembered after they ended. */
  static final int LENGTH = 64;

  /** The outcome of a call that gives no more than that it is over. */
  static final String DONE = "done";

  private final Deque<Entry> last = new ArrayDeque<>();
  private final Map<Long, Entry> underWay = new TreeMap<>();
  private final CallTrack track = new CallTrack();

  /** The number of the first call that is tracked. */
  private long trackedFrom = 1;

  private long calls;

  /** A call that is remembered. */
  final class Entry {
    private final long number;
    private final String thread;
    private final GuestCall call;
    private final Instant began = Instant.now();
    private final long start = System.nanoTime();
    private int id;
    private boolean sent;
    private boolean over;
    private Object outcome;
    private long ended;
    private long answered;

    private Entry(long number, GuestCall call) {
      this.number = number;
      this.call = call;
      Thread current = Thread.currentThread();
      thread = current.getName().isEmpty() ? "#" + current.threadId() : current.getName();
    }

    /** It is on its way to the guest, by this id. */
    void sent(int wireId) {
      synchronized (CallHistory.this) {
        id = wireId;
        sent = true;
        underWay.put(number, this);
      }
    }

    /** The guest has answered, or is gone. */
    void over() {
      synchronized (CallHistory.this) {
        over = true;
        answered = System.nanoTime();
        underWay.remove(number);
      }
    }

    /**
     * Its caller goes on.
     *
     * @param what with this value or exception, told by its {@code toString}
     */
    void ended(Object what) {
      synchronized (CallHistory.this) {
        outcome = what;
        ended = System.nanoTime();
        if (number >= trackedFrom) {
          track.add(this);
        }
      }
    }

    /** What it was, and what came of it. */
    private String words() {
      return switch (outcome) {
        case GuestErrnoException e when e.errno().isPresent() ->
            "%s: %s".formatted(call, e.errno().get());
        case GuestAgent.Result result ->
            result.value() == 0
                ? call.toString()
                : "%s: %s".formatted(call, Words.ofNumber(result.value()));
        case String done -> call + (done.equals(DONE) ? "" : ": " + done);
        default -> "%s: %s".formatted(call, CallHistory.words(outcome));
      };
    }

    /** Whether another is of the same kind, on the same thread, and both ended well. */
    boolean isAlike(Entry other) {
      return call.isLike(other.call)
          && thread.equals(other.thread)
          && !(outcome instanceof Exception)
          && !(other.outcome instanceof Exception);
    }

    private CallRecord record(long now) {
      State state;
      if (outcome == null) {
        state = State.UNDER_WAY;
      } else if (!sent || over && answered <= ended) {
        state = State.ENDED;
      } else {
        state = over ? State.ANSWERED_LATE : State.GIVEN_UP;
      }
      return new CallRecord(
          number,
          thread,
          call.toString(),
          began,
          state,
          outcome == null ? "" : CallHistory.words(outcome),
          Duration.ofNanos((outcome == null ? now : ended) - start),
          Duration.ofNanos((over ? answered : sent || outcome == null ? now : ended) - start));
    }
  }

  private static String words(Object outcome) {
    return switch (outcome) {
      case Exception e -> e.getClass().getSimpleName() + ": " + e.getMessage();
      case Long value -> Words.ofNumber(value);
      default -> outcome.toString();
    };
  }

  /** Remembers a call of this thread that begins now. */
  synchronized Entry begin(GuestCall call) {
    Entry entry = new Entry(++calls, call);
    last.addLast(entry);
    if (last.size() > LENGTH) {
      last.removeFirst();
    }
    return entry;
  }

  /** The last calls and, before them, those that have been under way for longer; by number. */
  synchronized List<CallRecord> records() {
    long now = System.nanoTime();
    List<CallRecord> all = new ArrayList<>();
    long first = last.isEmpty() ? 0 : last.getFirst().number;
    underWay.values().stream().filter(e -> e.number < first).forEach(e -> all.add(e.record(now)));
    last.forEach(e -> all.add(e.record(now)));
    return List.copyOf(all);
  }

  /** Tracks calls anew, from the next one on. */
  synchronized void track() {
    track.clear();
    trackedFrom = calls + 1;
  }

  /** The calls that were tracked, and those of them that are under way; in order of their end. */
  synchronized List<CallRun> tracked() {
    long now = System.nanoTime();
    List<CallRun> runs = new ArrayList<>();
    track.runs().forEach(run -> runs.add(run(run)));
    underWay.values().stream()
        .filter(e -> e.number >= trackedFrom && e.outcome == null)
        .map(e -> new CallRun(e.thread, e.call + ": under way", true, 1, e.start, now))
        .forEach(runs::add);
    return List.copyOf(runs);
  }

  private static CallRun run(CallTrack.Run run) {
    String one = run.first.words();
    String other = run.last.words();
    return new CallRun(
        run.first.thread,
        one.equals(other) ? one : one + " … " + other,
        run.last.outcome instanceof Exception,
        run.times,
        run.first.start,
        run.last.ended);
  }

  /** How many calls had to be left out of those that are tracked. */
  synchronized long untracked() {
    return track.dropped();
  }

  /** The call that is under way by an id on the wire. */
  synchronized Optional<CallRecord> underWay(int id) {
    long now = System.nanoTime();
    return underWay.values().stream().filter(e -> e.id == id).findAny().map(e -> e.record(now));
  }
}
