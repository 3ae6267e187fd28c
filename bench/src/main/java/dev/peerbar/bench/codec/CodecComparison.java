package dev.peerbar.bench.codec;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Ratio;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Messages encoded and decoded, beside the same fields written and read by hand. JMH measures, each
 * message in a JVM of its own; in a round all messages have one, so that the rounds are turns.
 */
public final class CodecComparison implements Comparison {
  /** JMH's methods come in pairs: one of a name, and one of the same with this after it. */
  private static final String FLOOR = "Floor";

  private static final String BYTES_PER_OPERATION = "gc.alloc.rate.norm";
  private static final List<Class<?>> CODECS =
      List.of(
          HeaderCodecBenchmark.class,
          RegionReadCodecBenchmark.class,
          RegionWriteCodecBenchmark.class,
          DmaMapCodecBenchmark.class);

  /** JMH's own bookkeeping shows as far less, an object as far more. */
  private static final Aim NOTHING = Aim.atMost(0.01);

  private static final int ROUNDS = 3;
  private static final int FULL_ITERATIONS = 2;
  private static final TimeValue FULL_TIME = TimeValue.milliseconds(150);
  private static final TimeValue QUICK_TIME = TimeValue.milliseconds(10);

  /** What a method came to in each round. */
  private record Rounds(List<Double> nanos, List<Double> bytes) {
    Rounds() {
      this(new ArrayList<>(), new ArrayList<>());
    }

    void add(RunResult result) {
      nanos.add(result.getPrimaryResult().getScore());
      bytes.add(result.getSecondaryResults().get(BYTES_PER_OPERATION).getScore());
    }
  }

  @Override
  public String name() {
    return "codec";
  }

  @Override
  public String about() {
    return "messages encoded and decoded, beside their fields by hand (JMH)";
  }

  @Override
  public void run(Bench bench) throws Exception {
    Map<String, Rounds> methods = new TreeMap<>();
    for (int round = 0; round < bench.effort().pick(ROUNDS, 1); round++) {
      for (RunResult result : runner(bench.effort()).run()) {
        methods.computeIfAbsent(result.getParams().getBenchmark(), _ -> new Rounds()).add(result);
      }
    }
    for (Class<?> codec : CODECS) {
      for (String method : methods.keySet()) {
        if (method.startsWith(codec.getName() + ".") && !method.endsWith(FLOOR)) {
          report(bench, codec, method, methods);
        }
      }
    }
  }

  private static void report(
      Bench bench, Class<?> codec, String method, Map<String, Rounds> methods)
      throws BenchmarkException {
    Rounds subject = methods.get(method);
    Rounds floor = methods.get(method + FLOOR);
    if (floor == null || floor.nanos.size() != subject.nanos.size()) {
      throw new BenchmarkException("JMH did not run all of %s.".formatted(codec.getSimpleName()));
    }
    double[] ratios = new double[subject.nanos.size()];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = subject.nanos.get(i) / floor.nanos.get(i);
    }
    String path = path(codec, method);
    bench.add(
        new Figure(
            path,
            "each",
            "ns",
            median(floor.nanos),
            median(subject.nanos),
            Ratio.of(ratios),
            Optional.empty()));
    bench.add(Figure.alone(path, "garbage", "B", median(subject.bytes), Optional.of(NOTHING)));
  }

  private static double median(List<Double> rounds) {
    return Ratio.of(rounds.stream().mapToDouble(Double::doubleValue).toArray()).median();
  }

  /** "RegionRead, decode request". */
  private static String path(Class<?> codec, String method) {
    String message = codec.getSimpleName().replace("CodecBenchmark", "");
    String verb = method.substring(method.lastIndexOf('.') + 1);
    return message + ", " + verb.replaceAll("([A-Z])", " $1").toLowerCase(Locale.ROOT);
  }

  private static Runner runner(Effort effort) {
    boolean full = effort == Effort.FULL;
    TimeValue time = full ? FULL_TIME : QUICK_TIME;
    int iterations = full ? FULL_ITERATIONS : 1;
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .mode(Mode.AverageTime)
            .timeUnit(TimeUnit.NANOSECONDS)
            .addProfiler(GCProfiler.class)
            .forks(full ? 1 : 0)
            .warmupIterations(iterations)
            .warmupTime(time)
            .measurementIterations(iterations)
            .measurementTime(time)
            .shouldFailOnError(true);
    CODECS.forEach(codec -> options.include(codec.getName().replace(".", "\\.") + "\\."));
    return new Runner(
        options.build(),
        OutputFormatFactory.createFormatInstance(
            System.err, full ? VerboseMode.NORMAL : VerboseMode.SILENT));
  }
}
