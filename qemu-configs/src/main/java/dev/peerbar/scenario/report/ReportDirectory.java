package dev.peerbar.scenario.report;

import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * Writes {@code results.json}, {@code index.html} and {@code junit.xml}: after each setting, so
 * that whatever ends the run leaves them, and when the run is over.
 */
public final class ReportDirectory implements RunListener {
  /** JUnit's XML. */
  public static final String JUNIT = "junit.xml";

  /** The page. */
  public static final String PAGE = "index.html";

  /**
   * Events of all timelines of a run: some 15 MB. Where all fail again and again, the first are as
   * good as the others.
   */
  private static final int MOST_EVENTS = 100_000;

  private final Path directory;
  private final Repeat repeat;
  private final List<String> command;
  private final SequencedMap<String, Part> parts = new LinkedHashMap<>();
  private final SequencedMap<String, Results.Kernel> kernels = new LinkedHashMap<>();
  private final List<Results.Result> results = new ArrayList<>();
  private Account account;
  private Instant began;
  private long start;
  private int events;

  /** What is known of a setting. */
  private static final class Part {
    final Setting setting;
    final Instant began = Instant.now();
    final List<Results.Boot> boots = new ArrayList<>();
    List<Results.Device> machine = List.of();
    Optional<List<Problem>> end = Optional.empty();

    Part(Setting setting) {
      this.setting = setting;
    }

    Results.Setting recorded() {
      return Recorded.setting(
          setting, iso(began), end.isPresent(), boots, end.orElse(List.of()), machine);
    }
  }

  /**
   * @param directory where files are written, below which the logs are; it must be there
   * @param repeat how one scenario is repeated
   * @param command the program's arguments
   */
  public ReportDirectory(Path directory, Repeat repeat, List<String> command) {
    this.directory = directory;
    this.repeat = repeat;
    this.command = List.copyOf(command);
  }

  @Override
  public void planned(Plan plan, long seed) {
    account = new Account(plan, seed, repeat);
    began = Instant.now();
    start = System.nanoTime();
  }

  @Override
  public void groupBegan(Plan.Group<?> group) {
    parts.put(group.setting().name(), new Part(group.setting()));
  }

  @Override
  public void booted(BootResult boot) {
    Part part = parts.lastEntry().getValue();
    part.boots.add(Recorded.boot(boot, directory));
    if (part.machine.isEmpty()) {
      part.machine = MachineFile.in(boot.logs(), boot.endpoints());
    }
    if (boot.failure().isEmpty()) {
      kernels.putIfAbsent(boot.setting().kernel(), Recorded.kernel(boot));
    }
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    ScenarioResult bounded = result.withTimeline(Math.max(0, MOST_EVENTS - events));
    events += bounded.timeline().events().size();
    results.add(account.result(bounded, directory));
  }

  @Override
  public void groupEnded(GroupEnd end) {
    parts.get(end.setting().name()).end = Optional.of(end.problems());
    write();
  }

  /**
   * Writes what there is.
   *
   * @throws UncheckedIOException if it cannot be written
   */
  @Override
  public void ended() {
    write();
  }

  private void write() {
    try {
      write(directory, results(), Optional.empty());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Results results() {
    return new Results(
        Results.FORMAT,
        new Results.RunFacts(
            Here.version(),
            command,
            account.seed(),
            account.plan().rounds(),
            account.plan().size(),
            iso(began),
            Recorded.seconds(Duration.ofNanos(System.nanoTime() - start)),
            Here.host()),
        List.copyOf(kernels.values()),
        parts.values().stream().map(Part::recorded).toList(),
        results);
  }

  private static String iso(Instant moment) {
    return moment.truncatedTo(ChronoUnit.SECONDS).toString();
  }

  /**
   * Writes all files of a report.
   *
   * @param comparison with another run, for the page
   */
  public static void write(Path directory, Results results, Optional<Comparison> comparison)
      throws IOException {
    ResultsFile.write(directory, results);
    Replaced.write(directory.resolve(JUNIT), out -> JunitXml.write(out, results));
    Replaced.write(directory.resolve(PAGE), out -> Page.write(out, results, comparison));
  }
}
