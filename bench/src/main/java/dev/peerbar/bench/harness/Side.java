package dev.peerbar.bench.harness;

/** One of the things that are compared. */
public final class Side {
  private final String name;
  private final Iterating iterating;

  /** Whatever runs for so many nanoseconds. */
  @FunctionalInterface
  private interface Iterating {
    Iteration run(long duration) throws Exception;
  }

  private Side(String name, Iterating iterating) {
    this.name = name;
    this.iterating = iterating;
  }

  /**
   * A side that is timed here.
   *
   * @param name as the report shows it
   */
  public Side(String name, Workload workload) {
    this(name, (Iterating) duration -> Iteration.of(workload, duration));
  }

  /**
   * A side that says how long it took, because it happens where the way there should not count.
   *
   * @param name as the report shows it
   */
  public static Side keepingTime(String name, TimedWorkload work) {
    return new Side(name, (Iterating) duration -> Iteration.ofTimed(work, duration));
  }

  String name() {
    return name;
  }

  Iteration iterate(long duration) throws Exception {
    return iterating.run(duration);
  }
}
