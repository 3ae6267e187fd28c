package dev.peerbar.bench.harness;

/** One of the things that are compared. */
public final class Side {
  private final String name;
  private final Player player;

  /** Whoever takes a turn of so many nanoseconds. */
  @FunctionalInterface
  private interface Player {
    Turn take(long duration) throws Exception;
  }

  private Side(String name, Player player) {
    this.name = name;
    this.player = player;
  }

  /**
   * A side that is timed here.
   *
   * @param name as the report shows it
   */
  public Side(String name, Work work) {
    this(name, (Player) duration -> Turn.of(work, duration));
  }

  /**
   * A side that says how long it took, because it happens where the way there should not count.
   *
   * @param name as the report shows it
   */
  public static Side keepingTime(String name, TimedWork work) {
    return new Side(name, (Player) duration -> Turn.ofTimed(work, duration));
  }

  String name() {
    return name;
  }

  Turn turn(long duration) throws Exception {
    return player.take(duration);
  }
}
