package dev.peerbar.server;

import dev.peerbar.linux.CpuAffinity;
import dev.peerbar.linux.LinuxException;
import java.time.Duration;
import java.util.BitSet;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * That the function's thread does not sleep: it looks at all that can ring, and does what it finds
 * to the end, on itself. For a processor of its own, and clients that count microseconds.
 *
 * @param cpu the processor that it stays on; empty for any
 * @param idle for how long it looks in vain before it waits as without polling, until the next
 *     message or doorbell; empty for ever
 */
public record Polling(OptionalInt cpu, Optional<Duration> idle) {
  private static final Logger log = LoggerFactory.getLogger(Polling.class);

  /** Longer times are for ever. */
  private static final Duration LONGEST = Duration.ofNanos(Long.MAX_VALUE);

  /** On any processor, for ever. */
  public static final Polling ALWAYS = new Polling(OptionalInt.empty(), Optional.empty());

  /**
   * @throws IllegalArgumentException with a sentence if a number is negative, or no time is left
   */
  public Polling {
    if (cpu.isPresent() && cpu.getAsInt() < 0) {
      throw new IllegalArgumentException(
          "A processor's number is not %d.".formatted(cpu.getAsInt()));
    }
    if (idle.isPresent() && !idle.get().isPositive()) {
      throw new IllegalArgumentException("Polling does not end after %s.".formatted(idle.get()));
    }
  }

  /** The same on one processor. */
  public Polling on(int processor) {
    return new Polling(OptionalInt.of(processor), idle);
  }

  /** The same until nothing has come for so long. */
  public Polling until(Duration inVain) {
    return new Polling(cpu, Optional.of(inVain));
  }

  /** How long a look in vain lasts, in nanoseconds. */
  long nanos() {
    return idle.map(Polling::nanos).orElse(Long.MAX_VALUE);
  }

  private static long nanos(Duration time) {
    return time.compareTo(LONGEST) < 0 ? time.toNanos() : Long.MAX_VALUE;
  }

  /** Keeps the calling thread on the processor, if one was named that it may use. */
  void pinCallingThread() {
    if (cpu.isEmpty()) {
      return;
    }
    BitSet one = new BitSet();
    one.set(cpu.getAsInt());
    try {
      CpuAffinity.setOfCallingThread(one);
    } catch (LinuxException e) {
      log.warn(
          "polling on any processor: CPU {} cannot be had: {}", cpu.getAsInt(), e.getMessage());
    }
  }
}
