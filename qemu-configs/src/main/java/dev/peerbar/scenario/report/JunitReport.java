package dev.peerbar.scenario.report;

import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.xml.stream.XMLStreamException;

/** Writes JUnit's XML when the run is over: a suite for each setting. */
public final class JunitReport implements RunListener {
  /** The name of the file. */
  public static final String FILE = "junit.xml";

  private final Path directory;
  private final Repeat repeat;
  private final List<Suite> suites = new ArrayList<>();
  private Account account;

  /** What came of a setting; the last one's is not all there yet. */
  static final class Suite {
    final Plan.Group<?> group;
    final Instant began = Instant.now();
    final List<BootResult> boots = new ArrayList<>();
    final List<ScenarioResult> results = new ArrayList<>();
    Optional<GroupEnd> end = Optional.empty();

    Suite(Plan.Group<?> group) {
      this.group = group;
    }

    int failures() {
      int guests = (int) end.filter(e -> !e.problems().isEmpty()).stream().count();
      return guests + count(Outcome.Failed.class);
    }

    int skipped() {
      return count(Outcome.Skipped.class);
    }

    int tests() {
      return results.size() + (end.isPresent() ? 1 : 0);
    }

    private int count(Class<? extends Outcome> kind) {
      return (int) results.stream().filter(r -> kind.isInstance(r.outcome())).count();
    }
  }

  /**
   * @param directory where the file is written, below which the logs are; it must be there
   * @param repeat how one scenario is repeated
   */
  public JunitReport(Path directory, Repeat repeat) {
    this.directory = directory;
    this.repeat = repeat;
  }

  @Override
  public void planned(Plan plan, long seed) {
    account = new Account(plan, seed, repeat);
  }

  @Override
  public void groupBegan(Plan.Group<?> group) {
    suites.add(new Suite(group));
  }

  @Override
  public void booted(BootResult boot) {
    suites.getLast().boots.add(boot);
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    suites.getLast().results.add(result);
  }

  @Override
  public void groupEnded(GroupEnd end) {
    suites.getLast().end = Optional.of(end);
  }

  /**
   * Writes what there is.
   *
   * @throws UncheckedIOException if it cannot be written
   */
  @Override
  public void ended() {
    try {
      // Never half of it under its name.
      Path part = directory.resolve(FILE + ".part");
      try (JunitXml xml = JunitXml.to(part, directory, account)) {
        xml.write(suites);
      }
      Files.move(part, directory.resolve(FILE), StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (XMLStreamException e) {
      throw new UncheckedIOException(new IOException(e));
    }
  }
}
