package dev.peerbar.bench.harness;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** One run of benchmarks: how long to measure, and what came out. For one thread. */
public final class Bench {
  private final Effort effort;
  private final Consumer<Figure> listener;
  private final List<Figure> figures = new ArrayList<>();
  private final List<Distribution> distributions = new ArrayList<>();
  private final List<Curve> curves = new ArrayList<>();

  /**
   * @param listener told of each figure as soon as it is there
   */
  public Bench(Effort effort, Consumer<Figure> listener) {
    this.effort = effort;
    this.listener = listener;
  }

  public Effort effort() {
    return effort;
  }

  /**
   * Runs sides by turns.
   *
   * @return what each did, in the same order
   * @throws Exception what a side throws
   */
  public List<Measured> compare(Side... sides) throws Exception {
    Interleaved.warmUp(effort, List.of(sides));
    return compareWarm(sides);
  }

  /** As {@link #compare}, for sides that have run before: they do not warm up. */
  public List<Measured> compareWarm(Side... sides) throws Exception {
    return Interleaved.run(effort, List.of(sides));
  }

  public void add(Figure figure) {
    figures.add(figure);
    listener.accept(figure);
  }

  public void add(Distribution distribution) {
    distributions.add(distribution);
  }

  public void add(Curve curve) {
    curves.add(curve);
  }

  public List<Figure> figures() {
    return List.copyOf(figures);
  }

  public List<Distribution> distributions() {
    return List.copyOf(distributions);
  }

  public List<Curve> curves() {
    return List.copyOf(curves);
  }
}
