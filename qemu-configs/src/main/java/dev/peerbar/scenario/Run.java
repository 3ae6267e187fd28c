package dev.peerbar.scenario;

import dev.peerbar.server.events.TraceEvent;
import dev.peerbar.server.events.TransferEvent;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** One time that a scenario runs. For any thread. */
public final class Run {
  private final int round;
  private final long seed;
  private final List<Predicate<String>> allowed = new CopyOnWriteArrayList<>();
  private final List<Measure> measures = new CopyOnWriteArrayList<>();
  private final List<Route> routes = new CopyOnWriteArrayList<>();
  private volatile Subtests subtests = Subtests.NONE;
  private final Supplier<List<TraceEvent>> events;

  /**
   * @param round from 1
   * @param seed of all that is chosen at random in it
   * @param events as {@link #lastTransfers} looks through them
   */
  Run(int round, long seed, Supplier<List<TraceEvent>> events) {
    this.round = round;
    this.seed = seed;
    this.events = events;
  }

  /** One that knows of no transfers. */
  public Run(int round, long seed) {
    this(round, seed, List::of);
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

  /**
   * What an endpoint moved lately, oldest first: of the last few hundred things that the endpoints
   * did since the scenario began.
   *
   * @param endpoint what it is called in logs
   */
  public List<TransferEvent> lastTransfers(String endpoint) {
    return events.get().stream()
        .filter(event -> event.function().equals(endpoint))
        .filter(TransferEvent.class::isInstance)
        .map(TransferEvent.class::cast)
        .toList();
  }

  /** Notes a way of peer-to-peer DMA that was tried, and what came of it. */
  public void took(Route route) {
    routes.add(route);
  }

  /** Notes the tests that a program made. */
  public void made(Subtests tests) {
    subtests = tests;
  }

  /** The tests that a program made. */
  Subtests subtests() {
    return subtests;
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
