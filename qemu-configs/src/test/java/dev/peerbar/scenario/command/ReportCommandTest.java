package dev.peerbar.scenario.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.Main;
import dev.peerbar.scenario.Measure;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.report.MadeUpRun;
import dev.peerbar.scenario.report.ReportDirectory;
import dev.peerbar.scenario.report.ResultsFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The command on reports of runs that never were. */
class ReportCommandTest {
  private static final String SETTING = "first.one-switch.intel-iommu.amd-cpu";

  private final StringWriter out = new StringWriter();
  private final StringWriter errors = new StringWriter();

  @TempDir private Path directory;

  private int status(Object... words) {
    CommandLine commandLine =
        Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(errors, true));
    String[] arguments = new String[words.length + 1];
    arguments[0] = "report";
    for (int i = 0; i < words.length; i++) {
      arguments[i + 1] = words[i].toString();
    }
    return commandLine.execute(arguments);
  }

  private void wrong(String sentence, Object... words) {
    assertThat(status(words)).isEqualTo(2);
    assertThat(errors.toString().lines().findFirst().orElseThrow()).contains(sentence);
    assertThat(out.toString()).isEmpty();
    if (words.length > 0) {
      assertThat(errors.toString()).hasLineCount(1);
    }
    errors.getBuffer().setLength(0);
  }

  private Path report(String name, MadeUpRun run) throws IOException {
    Path report = Files.createDirectories(directory.resolve(name));
    run.tell(new ReportDirectory(report, MadeUpRun.REPEAT, List.of("scenarios")));
    return report;
  }

  private MadeUpRun run(String name, long seed) {
    return new MadeUpRun(directory.resolve(name).resolve("logs"), 1).withSeed(seed).in("first");
  }

  /** Another file in a report's place. */
  private Path spoiled(String name, String from, String to) throws IOException {
    Path report = report(name, run(name, 7).with("a.passes", new Outcome.Passed("all")));
    Path file = report.resolve(ResultsFile.NAME);
    String text = Files.readString(file);
    assertThat(text).contains(from);
    Files.writeString(file, text.replace(from, to));
    return report;
  }

  @Test
  void whatIsNoReportIsSaidToBeNone() throws Exception {
    wrong("Missing required parameter: 'DIR'");
    wrong("There is no directory " + directory.resolve("none"), directory.resolve("none"));
    wrong("is no report: it has no results.json", directory);
    wrong("has format 2, this program knows 1", spoiled("new", "\"format\":1", "\"format\":2"));
    wrong("does not say its format", spoiled("odd", "\"format\":1", "\"size\":1"));
    wrong("is damaged, at line", spoiled("wrong", "\"results\":[{", "\"results\":[{]"));
    wrong(
        "is damaged: it has no outcome of a result.",
        spoiled("empty", "\"outcome\":\"passed\",", ""));
    wrong(
        "is damaged: it has no problem of a failure.",
        spoiled("unfounded", "\"outcome\":\"passed\"", "\"outcome\":\"failed\""));
    wrong(
        "is damaged: Cannot",
        spoiled("odder", "\"seed\":7,\"rounds\"", "\"seed\":\"x\",\"rounds\""));
    Path cut = report("cut", run("cut", 7).with("a.passes", new Outcome.Passed("all")));
    String text = Files.readString(cut.resolve(ResultsFile.NAME));
    Files.writeString(cut.resolve(ResultsFile.NAME), text.substring(0, text.length() / 2));
    wrong("is damaged, at line 1", cut);
  }

  @Test
  void shardsBecomeOneRun() throws Exception {
    MadeUpRun shard = run("one", 7);
    Path one = report("one", shard.with("a.passes", new Outcome.Passed("all")));
    Path two =
        report("two", run("two", 7).with("a.fails", failed(directory.resolve("two/logs"), "less")));
    Path merged = directory.resolve("made/merged");
    assertThat(status(one, two, "--report=" + merged)).isEqualTo(1);
    assertThat(out.toString())
        .startsWith("%s, %s: 2 parts of a run".formatted(one, two))
        .endsWith("1 passed, 1 failed, 0 skipped\n");
    var results = ResultsFile.read(merged);
    assertThat(results.run().planned()).isEqualTo(2);
    assertThat(results.settings()).hasSize(1);
    assertThat(results.settings().getFirst().boots()).hasSize(2);
    assertThat(results.results().getLast().logs()).isEqualTo("../../two/logs/guest-1");
    assertThat(Files.readString(merged.resolve(ReportDirectory.JUNIT)))
        .contains("tests=\"3\" failures=\"1\"", "logs: ../../two/logs/guest-1");
    assertThat(merged.resolve(ReportDirectory.PAGE)).content().contains("a.fails");

    // What was merged can be read again.
    out.getBuffer().setLength(0);
    assertThat(status(merged)).isEqualTo(1);
    assertThat(out.toString()).isEqualTo(merged + ": a run\n1 passed, 1 failed, 0 skipped\n");
  }

  private static Outcome failed(Path logs, String saw) {
    return new MadeUpRun(logs, 1).failed(Problem.Kind.UNEXPECTED, saw);
  }

  @Test
  void twoRunsAreComparedTheOlderFirst() throws Exception {
    MadeUpRun before =
        run("old", 1)
            .with("a.breaks", new Outcome.Passed("all"))
            .with("a.heals", failed(directory, "less"))
            .with("a.fails", failed(directory, "less"))
            .with("a.goes", new Outcome.Passed("all"))
            .with("a.skips", new Outcome.Skipped("no such device"))
            .with("a.counts", new Outcome.Passed("all"))
            .recording("a.counts", new Measure("resets", 10, ""), new Measure("wait", 2, "ms"));
    MadeUpRun after =
        run("new", 2)
            .with("a.breaks", failed(directory, "EIO"))
            .with("a.heals", new Outcome.Passed("all"))
            .with("a.fails", failed(directory, "less"))
            .with("a.comes", new Outcome.Passed("all"))
            .with("a.skips", new Outcome.Skipped("the kernel is too old"))
            .with("a.counts", new Outcome.Passed("all"))
            .recording("a.counts", new Measure("resets", 31, ""), new Measure("wait", 6, "ms"));
    Path old = report("old", before);
    Path now = report("new", after);
    dated(old, "2026-01-01T00:00:00Z");
    dated(now, "2026-01-02T00:00:00Z");
    Path compared = directory.resolve("compared");
    assertThat(status(now, old, "--report=" + compared)).isEqualTo(1);
    assertThat(out.toString())
        .isEqualTo(
            """
            OLD: a run
            NEW: a run
            older: 2026-01-01T00:00:00Z, seed 1
            newer: 2026-01-02T00:00:00Z, seed 2
            began to fail: 1
              a.breaks in SETTING: failed, saw: EIO
            began to pass: 1
              a.heals in SETTING: it had failed, saw: less
            skipped otherwise: 1
              a.skips in SETTING: skipped, the kernel is too old; before: skipped, no such device
            appeared: 1
              a.comes in SETTING: passed
            disappeared: 1
              a.goes in SETTING: passed
            changed by more than 3 times: 1
              a.counts in SETTING: resets 31, before 10
            3 passed, 2 failed, 1 skipped
            """
                .replace("OLD", old.toString())
                .replace("NEW", now.toString())
                .replace("SETTING", SETTING));
    assertThat(compared.resolve(ReportDirectory.PAGE)).content().contains("BEGAN_TO_FAIL");

    // What fails as it did before is no news; what the dates say is overruled.
    out.getBuffer().setLength(0);
    assertThat(status(old, "--against=" + now)).isEqualTo(1);
    assertThat(out.toString()).contains("a.heals in %s: failed, saw: less".formatted(SETTING));
    out.getBuffer().setLength(0);
    assertThat(status(now, "--against=" + now)).isZero();
    assertThat(out.toString()).contains("nothing changed");
  }

  @Test
  void whatOnlyOneRunTriedIsCountedIfThereIsMuchOfIt() throws Exception {
    MadeUpRun all = run("all", 1);
    for (int i = 0; i < 12; i++) {
      all.with("a.number-%02d".formatted(i), new Outcome.Passed("all"));
    }
    Path some = report("some", run("some", 2).with("a.number-00", new Outcome.Passed("all")));
    assertThat(status(some, "--against=" + report("all", all))).isZero();
    assertThat(out.toString())
        .contains(
            "disappeared: 11\n",
            "  a.number-10 in %s: passed%n  and 1 more, which the page".formatted(SETTING))
        .doesNotContain("a.number-11");
  }

  private static void dated(Path report, String date) throws IOException {
    Path file = report.resolve(ResultsFile.NAME);
    Files.writeString(
        file,
        Files.readString(file).replaceFirst("\"began\":\"[^\"]*\"", "\"began\":\"" + date + "\""));
  }

  @Test
  void partsThatHaveAResultInCommonAreNoParts() throws Exception {
    Path one = report("one", run("one", 7).with("a.passes", new Outcome.Passed("all")));
    Path two = report("two", run("two", 7).with("a.passes", new Outcome.Passed("all")));
    // Two runs with one seed.
    assertThat(status(one, two)).isZero();
    assertThat(out.toString()).contains("nothing changed");
    out.getBuffer().setLength(0);
    wrong("are not parts of one run: both have a.passes in", one, two, "--against=" + one);
    Path three = report("three", run("three", 8).with("a.passes", new Outcome.Passed("all")));
    wrong("These are 3 runs, and two can be compared", one, two, three);
  }

  @Test
  void aReportThatCannotBeWrittenIsAnError() throws Exception {
    Path one = report("one", run("one", 7).with("a.passes", new Outcome.Passed("all")));
    assertThat(status(one, "--report=/dev/null/out")).isEqualTo(1);
    assertThat(errors.toString()).startsWith("peerbar: The report /dev/null/out cannot be written");
  }
}
