package dev.peerbar.scenario.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.RunListener;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.junit.jupiter.api.RepeatedTest;

/** The line and a report on the same terminal. */
class ProgressLineTest {
  private static final String ERASE = "\r\u001b[K";
  private static final int COLUMNS = 60;

  private final ByteArrayOutputStream seen = new ByteArrayOutputStream();
  private final PrintStream terminal = new PrintStream(seen, true, StandardCharsets.UTF_8);

  /** Many times: another thread shows the line, and may do so first as the run ends. */
  @RepeatedTest(100)
  void theLineMakesRoomForTheReport() {
    tell(new ProgressLine(ktap(new PrintWriter(terminal, true)), terminal, COLUMNS));
    StringWriter alone = new StringWriter();
    tell(ktap(new PrintWriter(alone)));
    String text = seen.toString(StandardCharsets.UTF_8);
    assertThat(
            Arrays.stream(text.split("\n", -1))
                .map(ProgressLineTest::visible)
                .collect(Collectors.joining("\n")))
        .isEqualTo(alone.toString());
    assertThat(text.split("\r|\n"))
        .filteredOn(line -> line.startsWith("scenarios "))
        .isNotEmpty()
        .allMatch(line -> line.length() < COLUMNS);
  }

  private static KtapReport ktap(PrintWriter out) {
    return new KtapReport(out, MadeUpRun.REPEAT);
  }

  private static void tell(RunListener report) {
    new MadeUpRun(Path.of("/logs"), 20)
        .in("first")
        .with("a.passes", new Outcome.Passed("all"))
        .tell(report);
  }

  /** What a terminal shows in the end where all this was printed. */
  private static String visible(String line) {
    return line.substring(Math.max(0, line.lastIndexOf(ERASE))).replace(ERASE, "");
  }
}
