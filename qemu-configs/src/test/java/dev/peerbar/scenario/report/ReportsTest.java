package dev.peerbar.scenario.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Outcome;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class ReportsTest {
  private static final int TERMINATED = 128 + 15;

  @TempDir private Path directory;

  @Test
  void allAreToldTheSame() throws Exception {
    StringWriter text = new StringWriter();
    StringWriter ktap = new StringWriter();
    try (Reports reports =
        new Reports(
            List.of(
                new TextReport(new PrintWriter(text), MadeUpRun.REPEAT),
                new KtapReport(new PrintWriter(ktap), MadeUpRun.REPEAT),
                new ReportDirectory(directory, MadeUpRun.REPEAT, List.of())))) {
      new MadeUpRun(directory, 1)
          .in("first")
          .with("a.passes", new Outcome.Passed("all"))
          .tell(reports);
    }
    assertThat(text.toString()).containsOnlyOnce("1 passed, 0 failed, 0 skipped");
    assertThat(ktap.toString()).containsOnlyOnce("ok 1 a.passes");
    assertThat(Files.readString(directory.resolve(ReportDirectory.JUNIT)))
        .containsOnlyOnce("name=\"passes\"");
  }

  @Test
  void aRunThatBreaksOffIsReported() {
    StringWriter text = new StringWriter();
    try (Reports reports =
        new Reports(List.of(new TextReport(new PrintWriter(text), MadeUpRun.REPEAT)))) {
      new MadeUpRun(directory, 1)
          .in("first")
          .with("a.passes", new Outcome.Passed("all"))
          .with("a.passes-too", new Outcome.Passed("all"))
          .tell(new BrokenOff(reports));
    } catch (IllegalStateException e) {
      assertThat(e).hasMessage("broken off");
    }
    assertThat(text.toString()).contains("0 passed, 0 failed").contains("ended early, 2 not tried");
  }

  /** Passes on that a run was planned, and throws then. */
  private record BrokenOff(Reports reports) implements dev.peerbar.scenario.RunListener {
    @Override
    public void planned(dev.peerbar.scenario.Plan plan, long seed) {
      reports.planned(plan, seed);
      throw new IllegalStateException("broken off");
    }
  }

  @Test
  void nothingPlannedIsNothingToReport() {
    StringWriter text = new StringWriter();
    new Reports(List.of(new TextReport(new PrintWriter(text), MadeUpRun.REPEAT))).close();
    assertThat(text.toString()).isEmpty();
  }

  @Test
  void aRunThatIsTerminatedIsReportedUpToThen() throws Exception {
    Process program =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                TerminatedRun.class.getName(),
                directory.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (var lines = program.inputReader()) {
      String line;
      do {
        line = lines.readLine();
        assertThat(line).as("the first scenario's").isNotNull();
      } while (!line.contains("a.passes"));
      program.toHandle().destroy();
      assertThat(lines.readAllAsString())
          .contains("1 passed, 0 failed, 0 skipped", "ended early, 1 not tried")
          .doesNotContain("FAILED");
      assertThat(program.waitFor()).isEqualTo(TERMINATED);
    } finally {
      program.destroyForcibly();
    }
    assertThat(Files.readString(directory.resolve(ReportDirectory.JUNIT)))
        .contains("name=\"passes\"", "</testsuites>")
        .doesNotContain("<failure");
  }
}
