package dev.peerbar.server.fault;

import dev.peerbar.protocol.Command;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * What an endpoint does wrong at present. There is one fault of a kind at a time, and another one
 * of the kind takes its place. They belong to the endpoint: a client that goes leaves them, and the
 * next one meets them. For any thread, unless it says otherwise.
 */
public final class Faults {
  /** What {@link #inject} answers of a fault that lasts. */
  public static final String IN_FORCE = "in force";

  /** In place of a number of occasions: as many as there are. */
  public static final int ALWAYS = Integer.MAX_VALUE;

  private final ScheduledExecutorService functionThread;
  private final Device device;

  // All that follows is for the function's thread.
  private final Map<Class<? extends Fault>, Active> active = new LinkedHashMap<>();

  /** Null as long as replies come in time: looked at for each of them. */
  private Active repliesLate;

  /** What is to misbehave. For the function's thread. */
  public interface Device {

    /** Other faults are in force from now on. */
    void faultsChanged();

    /** Does something wrong at once; what came of it, in words. */
    CompletableFuture<String> happen(Fault.Once fault);
  }

  private final class Active {
    private final Fault.Lasting fault;
    private int times;

    private Active(Fault.Lasting fault, int times) {
      this.fault = fault;
      this.times = times;
    }

    private void strike() {
      if (times != ALWAYS && --times == 0) {
        end();
      }
    }

    private void end() {
      if (active.remove(fault.getClass(), this)) {
        changed();
      }
    }
  }

  /**
   * @param functionThread runs what it is given on the function's thread, in order
   */
  public Faults(ScheduledExecutorService functionThread, Device device) {
    this.functionThread = functionThread;
    this.device = device;
  }

  /** Has a fault, until it is cleared; see {@link #inject(Fault, Optional, int)}. */
  public CompletableFuture<String> inject(Fault fault) {
    return inject(fault, Optional.empty(), ALWAYS);
  }

  /**
   * Has a fault.
   *
   * @param lasting how long; empty until it is cleared
   * @param times how many occasions, {@link #ALWAYS} for all
   * @return {@link #IN_FORCE} once it is, or what came of a fault that happens once, in words
   * @throws IllegalArgumentException with a sentence if the fault knows no time or no occasions
   */
  public CompletableFuture<String> inject(Fault fault, Optional<Duration> lasting, int times) {
    if (times < 1) {
      throw new IllegalArgumentException("a fault happens once at least");
    }
    return switch (fault) {
      case Fault.Once once -> {
        if (lasting.isPresent() || times != ALWAYS) {
          throw new IllegalArgumentException(
              FaultText.of(fault) + " happens once, for no time and no number of times");
        }
        yield onFunctionThread(() -> device.happen(once));
      }
      case Fault.Lasting last -> {
        if (times != ALWAYS && !(fault instanceof Fault.Counted)) {
          throw new IllegalArgumentException(
              FaultText.of(fault) + " has no number of times: give it a time, or clear it");
        }
        yield onFunctionThread(() -> {
          begin(last, lasting, times);
          return CompletableFuture.completedFuture(IN_FORCE);
        });
      }
    };
  }

  private void begin(Fault.Lasting fault, Optional<Duration> lasting, int times) {
    Active begun = new Active(fault, times);
    active.put(fault.getClass(), begun);
    lasting.ifPresent(
        time -> functionThread.schedule(begun::end, time.toNanos(), TimeUnit.NANOSECONDS));
    changed();
  }

  /** Ends every fault; all is as it should be when the answer comes. */
  public CompletableFuture<Void> clear() {
    return onFunctionThread(() -> {
      if (!active.isEmpty()) {
        active.clear();
        changed();
      }
      return CompletableFuture.completedFuture(null);
    });
  }

  /** What is in force. */
  public CompletableFuture<List<Fault>> inForce() {
    return onFunctionThread(() -> {
      List<Fault> all = new ArrayList<>();
      active.values().forEach(one -> all.add(one.fault));
      return CompletableFuture.completedFuture(List.copyOf(all));
    });
  }

  private <T> CompletableFuture<T> onFunctionThread(Supplier<CompletableFuture<T>> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    try {
      functionThread.execute(() -> {
        try {
          work.get()
              .whenComplete((value, failure) -> {
                if (failure == null) {
                  result.complete(value);
                } else {
                  result.completeExceptionally(failure);
                }
              });
        } catch (RuntimeException | Error e) {
          result.completeExceptionally(e);
        }
      });
    } catch (RejectedExecutionException e) {
      result.completeExceptionally(e);
    }
    return result;
  }

  private void changed() {
    repliesLate = active.get(Fault.RepliesLate.class);
    device.faultsChanged();
  }

  /** A fault that is in force, or null. For the function's thread. */
  public <F extends Fault.Lasting> F find(Class<F> kind) {
    Active found = active.get(kind);
    return found == null ? null : kind.cast(found.fault);
  }

  /** The same at an occasion, of which it may be the last one. For the function's thread. */
  public <F extends Fault.Counted> F strike(Class<F> kind) {
    Active found = active.get(kind);
    if (found == null) {
      return null;
    }
    found.strike();
    return kind.cast(found.fault);
  }

  /** Whether a reply may have to be late. For the function's thread. */
  public boolean delaysReplies() {
    return repliesLate != null;
  }

  /**
   * How late a reply has to be, which this one is then: zero for one that comes in time. For the
   * function's thread.
   *
   * @param command what is replied to
   */
  public Duration lateness(Optional<Command> command) {
    if (repliesLate == null) {
      return Duration.ZERO;
    }
    Fault.RepliesLate fault = (Fault.RepliesLate) repliesLate.fault;
    if (fault.command().isPresent() && !fault.command().equals(command)) {
      return Duration.ZERO;
    }
    repliesLate.strike();
    return fault.by();
  }
}
