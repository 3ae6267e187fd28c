package dev.peerbar.bench.harness;

import java.time.Duration;

/** How long to measure. */
public enum Effort {
  /** For figures. */
  FULL(40, Duration.ofMillis(40), Duration.ofMillis(2500)),
  /** To see that a benchmark works: its figures mean nothing. */
  QUICK(3, Duration.ofMillis(3), Duration.ofMillis(20));

  private final int rounds;
  private final Duration slice;
  private final Duration warmUp;

  Effort(int rounds, Duration slice, Duration warmUp) {
    this.rounds = rounds;
    this.slice = slice;
    this.warmUp = warmUp;
  }

  /** How many turns each side has. */
  public int rounds() {
    return rounds;
  }

  /** How long a turn takes. */
  public Duration slice() {
    return slice;
  }

  /** How long each side runs before anything counts. */
  public Duration warmUp() {
    return warmUp;
  }

  /** One of two numbers. */
  public int pick(int full, int quick) {
    return this == FULL ? full : quick;
  }
}
