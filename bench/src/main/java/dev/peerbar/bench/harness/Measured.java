package dev.peerbar.bench.harness;

import java.util.List;
import java.util.function.ToDoubleFunction;
import org.HdrHistogram.Histogram;

/** What a side did in all of its turns, one a round. */
public final class Measured {
  private final String name;
  private final List<Turn> turns;

  Measured(String name, List<Turn> turns) {
    this.name = name;
    this.turns = List.copyOf(turns);
  }

  public String name() {
    return name;
  }

  /** How long the runs of all rounds took, in nanoseconds. */
  public Histogram nanos() {
    Histogram all = new Histogram(turns.getFirst().nanos().getNumberOfSignificantValueDigits());
    turns.forEach(turn -> all.add(turn.nanos()));
    return all;
  }

  /** The median over the rounds of a percentile of a run's duration, in nanoseconds. */
  public double percentile(double percentile) {
    return median(turn -> turn.percentile(percentile));
  }

  /** The median over the rounds of the amount per second. */
  public double rate() {
    return median(Turn::rate);
  }

  /** The median over the rounds of what one of the amount took, in nanoseconds. */
  public double cost() {
    return median(Turn::cost);
  }

  private double median(ToDoubleFunction<Turn> figure) {
    return Ratio.of(turns.stream().mapToDouble(figure).toArray()).median();
  }

  /** A percentile of a run's duration, in that of the floor. */
  public Ratio percentileOver(Measured floor, double percentile) {
    return over(floor, turn -> turn.percentile(percentile));
  }

  /** The amount per second, in that of the floor. */
  public Ratio rateOver(Measured floor) {
    return over(floor, Turn::rate);
  }

  /** What one of the amount took, in that of the floor. */
  public Ratio costOver(Measured floor) {
    return over(floor, Turn::cost);
  }

  private Ratio over(Measured floor, ToDoubleFunction<Turn> figure) {
    double[] ratios = new double[turns.size()];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = figure.applyAsDouble(turns.get(i)) / figure.applyAsDouble(floor.turns.get(i));
    }
    return Ratio.of(ratios);
  }
}
