package dev.peerbar.scenario;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/** One time that a scenario runs. For any thread. */
public final class Run {
  private final int round;
  private final long seed;
  private final List<Predicate<String>> allowed = new CopyOnWriteArrayList<>();
  private final List<Measure> measures = new CopyOnWriteArrayList<>();
  private final List<Route> routes = new CopyOnWriteArrayList<>();

  /**
   * @param round from 1
   * @param seed of all that is chosen at random in it
   */
  public Run(int round, long seed) {
    this.round = round;
    this.seed = seed;
  }

  /** How many times it will have run: from 1. */
  public int round() {
    return round;
  }

  /** The seed of all that is chosen at random. */
  public long seed() {
    return seed;
  }

  /** A source of choices that begins with the seed, always at the same place. */
  public Random random() {
    return new Random(seed);
  }

  /**
   * From now until this scenario ends, it may cause lines like these in the kernel's and QEMU's
   * logs.
   */
  public void mayComplain(Predicate<String> line) {
    allowed.add(line);
  }

  /**
   * Records a count.
   *
   * @param name of what, a few words without a capital, the same in every run
   */
  public void record(String name, long count) {
    measures.add(new Measure(name, count, ""));
  }

  /**
   * Records a time.
   *
   * @param name of what, a few words without a capital, the same in every run
   */
  public void record(String name, Duration time) {
    measures.add(new Measure(name, time.toNanos() / 1e6, "ms"));
  }

  /** Notes a way of peer-to-peer DMA that was tried, and what came of it. */
  public void took(Route route) {
    routes.add(route);
  }

  /** Which ways were tried, in order. */
  List<Route> routes() {
    return List.copyOf(routes);
  }

  /** What was recorded, in order. */
  List<Measure> measures() {
    return List.copyOf(measures);
  }

  /** Whether a line was to be expected. */
  boolean allows(String line) {
    return allowed.stream().anyMatch(p -> p.test(line));
  }
}
