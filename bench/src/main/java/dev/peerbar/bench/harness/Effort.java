package dev.peerbar.bench.harness;

import java.time.Duration;

/** How long to measure. */
public enum Effort {
  /** For figures. */
  FULL(40, Duration.ofMillis(40), Duration.ofMillis(2500)),
  /** To see that a benchmark works: its figures mean nothing. */
  QUICK(3, Duration.ofMillis(3), Duration.ofMillis(20));

  private final int rounds;
  private final Duration iteration;
  private final Duration warmUp;

  Effort(int rounds, Duration iteration, Duration warmUp) {
    this.rounds = rounds;
    this.iteration = iteration;
    this.warmUp = warmUp;
  }

  /** How many iterations each side has, one a round. */
  public int rounds() {
    return rounds;
  }

  /** How long an iteration takes. */
  public Duration iteration() {
    return iteration;
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
