package dev.peerbar.bench.harness;

import java.util.List;
import java.util.function.ToDoubleFunction;
import org.HdrHistogram.Histogram;

/** What a side did in all of its iterations, one a round. */
public final class Measured {
  private final String name;
  private final List<Iteration> iterations;

  Measured(String name, List<Iteration> iterations) {
    this.name = name;
    this.iterations = List.copyOf(iterations);
  }

  public String name() {
    return name;
  }

  /** How long the runs of all rounds took, in nanoseconds. */
  public Histogram nanos() {
    Histogram all =
        new Histogram(iterations.getFirst().nanos().getNumberOfSignificantValueDigits());
    iterations.forEach(iteration -> all.add(iteration.nanos()));
    return all;
  }

  /** The median over the rounds of a percentile of a run's duration, in nanoseconds. */
  public double percentile(double percentile) {
    return median(iteration -> iteration.percentile(percentile));
  }

  /** The median over the rounds of the amount per second. */
  public double rate() {
    return median(Iteration::rate);
  }

  /** The median over the rounds of what one of the amount took, in nanoseconds. */
  public double cost() {
    return median(Iteration::cost);
  }

  private double median(ToDoubleFunction<Iteration> figure) {
    return Ratio.of(iterations.stream().mapToDouble(figure).toArray()).median();
  }

  /** A percentile of a run's duration, in that of the floor. */
  public Ratio percentileOver(Measured floor, double percentile) {
    return over(floor, iteration -> iteration.percentile(percentile));
  }

  /** The amount per second, in that of the floor. */
  public Ratio rateOver(Measured floor) {
    return over(floor, Iteration::rate);
  }

  /** What one of the amount took, in that of the floor. */
  public Ratio costOver(Measured floor) {
    return over(floor, Iteration::cost);
  }

  private Ratio over(Measured floor, ToDoubleFunction<Iteration> figure) {
    double[] ratios = new double[iterations.size()];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] =
          figure.applyAsDouble(iterations.get(i)) / figure.applyAsDouble(floor.iterations.get(i));
    }
    return Ratio.of(ratios);
  }
}
