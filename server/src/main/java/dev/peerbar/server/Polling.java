package dev.peerbar.server;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * That the function's thread does not sleep: it looks at all that can ring, and does what it finds
 * to the end, on itself. For a processor of its own, and clients that count microseconds.
 *
 * @param cpu the processor that it stays on; empty for any
 * @param idle for how long it looks in vain before it waits as without polling, until the next
 *     message or doorbell; empty for ever
 */
public record Polling(OptionalInt cpu, Optional<Duration> idle) {
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
}
