package dev.peerbar.bench.start;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Ratio;
import dev.peerbar.cli.Main;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/** From the start of {@code peerbar serve} until clients can connect, and its memory then. */
public final class StartComparison implements Comparison {
  private static final Aim MILLIS = Aim.atMost(400);
  private static final Aim MEBIBYTES = Aim.atMost(100);

  /** What starts this program, if that has said so. */
  private static final Optional<String> LAUNCHER =
      Optional.ofNullable(System.getProperty("peerbar.launcher"));

  private static final String CACHE_OPTION = "-XX:AOT";

  /** One start. */
  private record Start(double millis, StartedProgram.Memory memory) {
    double resident() {
      return memory.resident();
    }

    double anonymous() {
      return memory.anonymous();
    }
  }

  /** Something to start, by turns with the others. */
  private record Subject(String name, List<String> command, List<Start> starts) {
    Subject(String name, List<String> command) {
      this(name, command, new ArrayList<>());
    }

    void start() throws Exception {
      try (StartedProgram program = StartedProgram.start(command)) {
        starts.add(new Start(program.millis(), program.memory()));
      }
    }

    double median(ToDoubleFunction<Start> figure) {
      return Ratio.of(starts.stream().mapToDouble(figure).toArray()).median();
    }

    Ratio over(Subject floor, ToDoubleFunction<Start> figure) {
      double[] ratios = new double[starts.size()];
      for (int i = 0; i < ratios.length; i++) {
        ratios[i] = figure.applyAsDouble(starts.get(i)) / figure.applyAsDouble(floor.starts.get(i));
      }
      return Ratio.of(ratios);
    }
  }

  @Override
  public String name() {
    return "start";
  }

  @Override
  public String about() {
    return "from the start of serve until it is ready, and the memory that it takes";
  }

  @Override
  public void run(Bench bench) throws Exception {
    Path folder = Files.createTempDirectory("peerbar-bench");
    String socket = "--socket-path=" + folder.resolve("start.sock");
    Subject floor = new Subject("empty program", floor());
    List<Subject> served =
        List.of(
            new Subject("serve hbm", program("serve", "hbm", socket)),
            new Subject("serve nvme", program("serve", "nvme", socket, "--size=64M")));
    try {
      for (int round = 0; round < bench.effort().pick(20, 1); round++) {
        floor.start();
        for (Subject subject : served) {
          subject.start();
        }
      }
    } finally {
      Files.deleteIfExists(folder.resolve("start.sock"));
      Files.delete(folder);
    }
    for (Subject subject : served) {
      report(bench, floor, subject);
    }
  }

  private static void report(Bench bench, Subject floor, Subject subject) {
    compare(bench, floor, subject, "ready", "ms", MILLIS, Start::millis);
    compare(bench, floor, subject, "VmRSS", "MiB", MEBIBYTES, Start::resident);
    bench.add(
        Figure.alone(
            subject.name, "RssAnon", "MiB", subject.median(Start::anonymous), Optional.empty()));
  }

  /** People wait for milliseconds, not for floors: the aim is of the figure itself. */
  private static void compare(
      Bench bench,
      Subject floor,
      Subject subject,
      String figure,
      String unit,
      Aim aim,
      ToDoubleFunction<Start> of) {
    double value = subject.median(of);
    bench.add(Figure.alone(subject.name, figure, unit, value, Optional.of(aim)));
    bench.add(
        new Figure(
            subject.name + " beside an empty program",
            figure,
            unit,
            floor.median(of),
            value,
            subject.over(floor, of),
            Optional.empty()));
  }

  /** The program as it was started itself: by the launcher, or by whoever tests it. */
  private static List<String> program(String... arguments) {
    List<String> command = new ArrayList<>();
    LAUNCHER.ifPresentOrElse(
        command::add,
        () -> {
          command.addAll(jvm().toList());
          command.add(Main.class.getName());
        });
    command.addAll(List.of(arguments));
    return command;
  }

  /** With nothing but what the JDK itself has ready. */
  private static List<String> floor() {
    return Stream.concat(
            jvm().filter(option -> !option.startsWith(CACHE_OPTION)),
            Stream.of(EmptyProgram.class.getName()))
        .toList();
  }

  private static Stream<String> jvm() {
    return Stream.of(
            Stream.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()),
            ManagementFactory.getRuntimeMXBean().getInputArguments().stream(),
            Stream.of("-cp", System.getProperty("java.class.path")))
        .flatMap(part -> part);
  }
}
