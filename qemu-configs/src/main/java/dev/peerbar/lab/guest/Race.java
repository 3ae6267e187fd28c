package dev.peerbar.lab.guest;

import dev.peerbar.lab.guest.AgentConnection.Response;
import dev.peerbar.lab.uapi.Ioctl;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;

/**
 * Calls that begin at the same moment in the guest. Each racer does what it does on a thread of its
 * own; the first of its calls that fits waits in the guest's agent, right before the system call or
 * access, until every other racer has come so far, or has ended without:
 *
 * <pre>{@code
 * Race.Outcome outcome = Race.of(guest)
 *     .racer(VfioIoctls.VFIO_DEVICE_RESET, () -> a.vfio().reset())
 *     .racer(Syscall.MMAP, () -> b.vfio().mmapBar(2))
 *     .staggered(new Random(seed), Duration.ofNanos(50_000))
 *     .run();
 * }</pre>
 *
 * <p>Those that wait sleep until the last has come, and then spin until all run. With a processor
 * of the guest for each, and one of the host for each of those, they go on within a microsecond of
 * each other; on a host that is busy it may be milliseconds, which {@link Outcome#apart} tells.
 * What happens first then is chance: the outcome has the time of the guest's clock before and after
 * each racing call. For one thread, once.
 */
public final class Race {
  private static final ScopedValue<Entrant> ENTRANT = ScopedValue.newInstance();

  /** What the agent takes. */
  private static final Duration MOST_HELD_BACK = Duration.ofSeconds(1);

  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final Duration FAREWELL = Duration.ofSeconds(30);

  private final GuestAgent agent;
  private final List<Racer> racers = new ArrayList<>();
  private Duration patience = PATIENCE;

  private Race(GuestAgent agent) {
    this.agent = agent;
  }

  /** A race without racers, yet. */
  public static Race of(Guest guest) {
    return of(guest.agent());
  }

  static Race of(GuestAgent agent) {
    return new Race(agent);
  }

  /** What a racer does that has nothing to give. */
  @FunctionalInterface
  public interface Action {
    void run() throws Exception;
  }

  private static final class Racer {
    private final String name;
    private final Predicate<GuestCall> which;
    private final Callable<?> body;
    private Duration heldBack = Duration.ZERO;

    Racer(String name, Predicate<GuestCall> which, Callable<?> body) {
      this.name = name;
      this.which = which;
      this.body = body;
    }
  }

  /** Adds a racer whose first such system call waits for the others. */
  public Race racer(Syscall call, Callable<?> body) {
    return racer(call.toString(), c -> c.is(call), body);
  }

  /** The same with nothing to give. */
  public Race racer(Syscall call, Action body) {
    return racer(call, giving(body));
  }

  /** Adds a racer whose first such ioctl waits for the others. */
  public Race racer(Ioctl call, Callable<?> body) {
    return racer(call.name(), c -> c.is(call), body);
  }

  /** The same with nothing to give. */
  public Race racer(Ioctl call, Action body) {
    return racer(call, giving(body));
  }

  /**
   * Adds a racer.
   *
   * @param name what it is called in the outcome and in the calls' history
   * @param which of its calls waits for the others: the first that fits
   * @param body what it does, before and after that call too
   */
  public Race racer(String name, Predicate<GuestCall> which, Callable<?> body) {
    racers.add(new Racer(name, which, body));
    return this;
  }

  /** The same with nothing to give. */
  public Race racer(String name, Predicate<GuestCall> which, Action body) {
    return racer(name, which, giving(body));
  }

  private static Callable<?> giving(Action body) {
    return () -> {
      body.run();
      return null;
    };
  }

  /** Lets the racer that was added last begin later than the others, by up to a second. */
  public Race heldBack(Duration time) {
    if (time.isNegative() || time.compareTo(MOST_HELD_BACK) > 0) {
      throw new IllegalArgumentException("held back by " + time);
    }
    racers.getLast().heldBack = time;
    return this;
  }

  /**
   * Holds all racers added so far back, each by some time, and the one with the shortest not at
   * all. The same sequence of numbers gives the same times.
   *
   * @param most how much later the last begins than the first, at most; up to a second
   */
  public Race staggered(RandomGenerator random, Duration most) {
    long[] times = random.longs(racers.size(), 0, most.toNanos() + 1).toArray();
    long least = java.util.Arrays.stream(times).min().orElse(0);
    for (int i = 0; i < times.length; i++) {
      Racer racer = racers.get(i);
      racer.heldBack = Duration.ZERO;
      racers.get(i).heldBack = Duration.ofNanos(times[i] - least);
    }
    return this;
  }

  /**
   * How long those that have come wait for the others, instead of half a minute. They then go on
   * without them.
   */
  public Race patience(Duration time) {
    patience = time;
    return this;
  }

  /**
   * When a racing call was made, by the guest's monotonic clock.
   *
   * @param start nanoseconds right before the system call or access
   * @param end nanoseconds right after it
   */
  public record Span(long start, long end) {
    public Duration length() {
      return Duration.ofNanos(end - start);
    }

    /** Whether there was a moment at which both were under way. */
    public boolean overlaps(Span other) {
      return start < other.end && other.start < end;
    }
  }

  /**
   * How a racer ended.
   *
   * @param name of the racer
   * @param value what it gave; null if it failed, or had nothing to give
   * @param failure what it threw
   * @param span of its racing call; empty if it made none, or did not hear of its end
   * @param met whether its call went on together with those of all other racers that did not end
   *     before they made one
   */
  public record Finish(
      String name, Object value, Optional<Throwable> failure, Optional<Span> span, boolean met) {

    /** What it gave. Throws what it threw, as the cause of an {@link IOException}, if it failed. */
    public <T> T value(Class<T> type) throws IOException {
      if (failure.isPresent()) {
        throw new IOException(name + " failed: " + failure.get().getMessage(), failure.get());
      }
      return type.cast(value);
    }

    @Override
    public String toString() {
      return "%s: %s%s%s"
          .formatted(
              name,
              failure.isPresent() ? failure.get() : String.valueOf(value),
              span.map(s -> " after " + Words.of(s.length())).orElse(", did not race"),
              span.isPresent() && !met ? " alone" : "");
    }
  }

  /**
   * How a race ended.
   *
   * @param finishes a racer's each, in the order in which they were added
   */
  public record Outcome(List<Finish> finishes) {

    /** How the racer of that index, from 0, ended. */
    public Finish finish(int racer) {
      return finishes.get(racer);
    }

    /** How the racer of that name ended. */
    public Finish finish(String name) {
      return finishes.stream()
          .filter(f -> f.name.equals(name))
          .findFirst()
          .orElseThrow(() -> new NoSuchElementException("no racer " + name));
    }

    /** Whether all racers made their call, and began it together. */
    public boolean met() {
      return finishes.stream().allMatch(f -> f.span.isPresent() && f.met);
    }

    /** Whether there was a moment at which all racing calls were under way. */
    public boolean overlapped() {
      return finishes.stream().allMatch(f -> f.span.isPresent())
          && finishes.stream().mapToLong(f -> f.span.orElseThrow().start).max().orElse(0)
              < finishes.stream().mapToLong(f -> f.span.orElseThrow().end).min().orElse(0);
    }

    /** How much later the last racing call began than the first; empty if one made none. */
    public Optional<Duration> apart() {
      if (finishes.stream().anyMatch(f -> f.span.isEmpty())) {
        return Optional.empty();
      }
      var starts = finishes.stream().mapToLong(f -> f.span.orElseThrow().start).summaryStatistics();
      return Optional.of(Duration.ofNanos(starts.getMax() - starts.getMin()));
    }

    /** A racer a line. */
    @Override
    public String toString() {
      return String.join("\n", finishes.stream().map(Finish::toString).toList());
    }
  }

  /**
   * Lets them go, and waits until all have ended.
   *
   * @throws GuestBusyException if there are too many races at once
   * @throws InterruptedIOException if this thread is interrupted; then the racers are, too
   */
  public Outcome run() throws IOException {
    GuestCalls calls = agent.calls();
    int barrier =
        agent
            .call(Operation.BARRIER, GuestCalls.buffer(4).putInt(racers.size()), "a race's barrier")
            .make(ByteBuffer::getInt);
    List<Run> runs =
        racers.stream().map(r -> new Run(r, new Entrant(r, barrier, patience))).toList();
    List<Thread> threads =
        runs.stream()
            .map(r -> Thread.ofPlatform().daemon().name("racer " + r.racer.name).start(r::go))
            .toList();
    join(threads);
    return new Outcome(runs.stream().map(r -> r.finish).toList());
  }

  private static void join(List<Thread> threads) throws InterruptedIOException {
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException e) {
      threads.forEach(Thread::interrupt);
      for (Thread thread : threads) {
        joinUninterrupted(thread);
      }
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted in a race");
    }
  }

  private static void joinUninterrupted(Thread thread) {
    try {
      thread.join(FAREWELL);
    } catch (InterruptedException again) {
      // Its racers have been told; there is nobody else to tell.
    }
  }

  /** A racer that runs. */
  private final class Run {
    private final Racer racer;
    private final Entrant entrant;
    private volatile Finish finish;

    Run(Racer racer, Entrant entrant) {
      this.racer = racer;
      this.entrant = entrant;
    }

    void go() {
      Object value = null;
      Throwable failure = null;
      try {
        value = ScopedValue.where(ENTRANT, entrant).call(racer.body::call);
      } catch (Throwable e) {
        failure = e;
      }
      try {
        leave();
      } catch (IOException e) {
        failure = failure == null ? e : failure;
      }
      finish =
          new Finish(
              racer.name,
              value,
              Optional.ofNullable(failure),
              Optional.ofNullable(entrant.span),
              entrant.met);
    }

    private void leave() throws IOException {
      if (entrant.came) {
        return;
      }
      boolean interrupted = Thread.interrupted(); // the others wait for this
      try {
        agent
            .call(Operation.LEAVE, GuestCalls.buffer(4).putInt(entrant.barrier), "leave a race")
            .make();
      } finally {
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
      }
    }
  }

  /** The one that this thread is in the race for, if it is, and this is the call that waits. */
  static Entrant entrant(GuestCall call) {
    Entrant entrant = ENTRANT.isBound() ? ENTRANT.get() : null;
    return entrant != null && !entrant.came && entrant.racer.which.test(call) ? entrant : null;
  }

  /** A racer and whether it has come to the barrier; its thread's. */
  static final class Entrant {
    private static final int HEAD = 24;

    private final Racer racer;
    private final int barrier;
    private final Duration patience;
    private boolean came;
    private boolean met;
    private Span span;

    private Entrant(Racer racer, int barrier, Duration patience) {
      this.racer = racer;
      this.barrier = barrier;
      this.patience = patience;
    }

    Duration patience() {
      return patience;
    }

    /** The payload of a request that waits at the barrier before it does what it does. */
    ByteBuffer wrap(Operation operation, ByteBuffer payload) {
      came = true;
      return GuestCalls.buffer(HEAD + payload.remaining())
          .putInt(barrier)
          .putLong(patience.toNanos())
          .putLong(racer.heldBack.toNanos())
          .putInt(operation.ordinal())
          .put(payload)
          .flip();
    }

    /** The request never reached the barrier. */
    void didNotCome() {
      came = false;
    }

    Response unwrap(ByteBuffer answer) {
      int status = answer.getInt();
      met = answer.getInt() != 0;
      Span seen = new Span(answer.getLong(), answer.getLong());
      span = seen.start == 0 ? null : seen;
      return new Response(status, answer.slice().order(java.nio.ByteOrder.LITTLE_ENDIAN));
    }
  }
}
