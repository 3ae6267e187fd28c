package dev.peerbar.scenario.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.Subtests;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

class JunitReportTest {
  @TempDir private Path directory;

  private Document document(MadeUpRun run) throws Exception {
    run.tell(new ReportDirectory(directory, MadeUpRun.REPEAT, List.of()));
    return DocumentBuilderFactory.newDefaultNSInstance()
        .newDocumentBuilder()
        .parse(directory.resolve(ReportDirectory.JUNIT).toFile());
  }

  private static List<Element> elements(Element within, String name) {
    NodeList found = within.getElementsByTagName(name);
    List<Element> elements = new ArrayList<>();
    for (int i = 0; i < found.getLength(); i++) {
      elements.add((Element) found.item(i));
    }
    return elements;
  }

  private static Element testcase(Element suite, String name) {
    return elements(suite, "testcase").stream()
        .filter(e -> e.getAttribute("name").equals(name))
        .findFirst()
        .orElseThrow();
  }

  private MadeUpRun run() {
    MadeUpRun run = new MadeUpRun(directory.resolve("logs"), 1);
    return run.in("first")
        .with("a.b.passes", new Outcome.Passed("5 of 5\nindeed"))
        .with("a.skipped", new Outcome.Skipped("there is no fifth"))
        .with("a.fails", run.failed(Problem.Kind.UNEXPECTED, "4 of 5\nand no more"))
        .withGuests(new Problem(Problem.Kind.COMPLAINT, "kernel.log: BUG"))
        .in("second")
        .with("a.passes", new Outcome.Passed("all"));
  }

  @Test
  void aSuiteForEachSetting() throws Exception {
    Element root = document(run()).getDocumentElement();
    assertThat(root.getTagName()).isEqualTo("testsuites");
    assertThat(root.getAttribute("tests")).isEqualTo("6");
    assertThat(root.getAttribute("failures")).isEqualTo("2");
    List<Element> suites = elements(root, "testsuite");
    assertThat(suites)
        .extracting(e -> e.getAttribute("name"))
        .containsExactly(
            "first.one-switch.intel-iommu.amd-cpu", "second.one-switch.intel-iommu.amd-cpu");
    Element first = suites.getFirst();
    assertThat(first.getAttribute("tests")).isEqualTo("4");
    assertThat(first.getAttribute("failures")).isEqualTo("2");
    assertThat(first.getAttribute("skipped")).isEqualTo("1");
    // Three scenarios, and a guest before the first and none after the last.
    assertThat(first.getAttribute("time")).isEqualTo("5.802");
    assertThat(first.getAttribute("timestamp"))
        .matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d");
    assertThat(elements(first, "property"))
        .extracting(e -> e.getAttribute("name") + "=" + e.getAttribute("value"))
        .containsExactly(
            "seed=7", "fixture=first", "topology=one-switch", "iommu=intel-iommu", "cpu=amd");
    assertThat(suites.getLast().getAttribute("failures")).isEqualTo("0");
  }

  @Test
  void aCaseForEachScenarioAndOneForTheGuests() throws Exception {
    Element suite = elements(document(run()).getDocumentElement(), "testsuite").getFirst();
    Element passed = testcase(suite, "passes");
    assertThat(passed.getAttribute("classname")).isEqualTo("a.b");
    assertThat(passed.getAttribute("time")).isEqualTo("1.234");
    assertThat(elements(passed, "system-out").getFirst().getTextContent())
        .isEqualTo("5 of 5\nindeed");
    Element skipped = testcase(suite, "skipped");
    assertThat(elements(skipped, "skipped").getFirst().getAttribute("message"))
        .isEqualTo("there is no fifth");
    Element failed = testcase(suite, "fails");
    Element failure = elements(failed, "failure").getFirst();
    assertThat(failure.getAttribute("type")).isEqualTo("UNEXPECTED");
    assertThat(failure.getAttribute("message")).isEqualTo("saw: 4 of 5; and no more");
    assertThat(failure.getTextContent())
        .isEqualTo(
            """
            tried: do it
            expected: it is done
            saw: 4 of 5
              and no more
            logs: logs/guest-1
            repeat: ./peerbar scenarios --only=a.fails --topology=one-switch --seed=7 '--kernel=/a kernel'\
            """);
    Element guests = testcase(suite, "guests");
    assertThat(elements(guests, "failure").getFirst().getTextContent())
        .isEqualTo("complaint: kernel.log: BUG");
    assertThat(elements(guests, "system-out").getFirst().getTextContent())
        .isEqualTo(
            """
            guest 1: up after 2.1 s, logs in logs/guest-1
            before any scenario, kernel.log: a bad # BIOS\\x00
              is here\
            """);
  }

  @Test
  void aCaseForEachTestOfAProgram() throws Exception {
    MadeUpRun run = run().in("third").with("a.runs", new Outcome.Passed("1 of 3"));
    run.making(
        "a.runs",
        new Subtests(
            3,
            List.of(
                new Subtests.Point("t.one", Subtests.Outcome.PASSED, ""),
                new Subtests.Point("t.two", Subtests.Outcome.SKIPPED, "no hardware"),
                new Subtests.Point("t.three", Subtests.Outcome.FAILED, "expected 1\nseen <2>")),
            List.of()));
    Element root = document(run).getDocumentElement();
    assertThat(root.getAttribute("tests")).isEqualTo("11");
    assertThat(root.getAttribute("failures")).isEqualTo("3");
    Element suite = elements(root, "testsuite").getLast();
    assertThat(suite.getAttribute("tests")).isEqualTo("5");
    assertThat(suite.getAttribute("failures")).isEqualTo("1");
    assertThat(suite.getAttribute("skipped")).isEqualTo("1");
    assertThat(elements(suite, "testcase"))
        .extracting(e -> e.getAttribute("classname") + " " + e.getAttribute("name"))
        .containsExactly(
            "a runs", "a.runs t.one", "a.runs t.two", "a.runs t.three", "guests guests");
    Element skipped = elements(testcase(suite, "t.two"), "skipped").getFirst();
    assertThat(skipped.getAttribute("message")).isEqualTo("no hardware");
    Element failure = elements(testcase(suite, "t.three"), "failure").getFirst();
    assertThat(failure.getTextContent()).isEqualTo("expected 1\nseen <2>");
  }

  @Test
  void roundsHaveNamesOfTheirOwn() throws Exception {
    Document document =
        document(
            new MadeUpRun(directory, 2).in("first").with("a.passes", new Outcome.Passed("all")));
    assertThat(elements(document.getDocumentElement(), "testcase"))
        .extracting(e -> e.getAttribute("name"))
        .containsExactly("passes (round 1)", "passes (round 2)", "guests");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 10_000})
  void anyTextIsXml(int times) throws Exception {
    String hostile = MadeUpRun.HOSTILE.repeat(times);
    Element root = document(MadeUpRun.ofEverything(directory, hostile)).getDocumentElement();
    Element suite = elements(root, "testsuite").getFirst();
    assertThat(elements(suite, "testcase")).hasSize(2 + Problem.Kind.values().length + 2);
    assertThat(elements(suite, "failure"))
        .hasSize(Problem.Kind.values().length + 2)
        .allSatisfy(failure ->
            assertThat(failure.getTextContent())
                .contains("]]> <a b=\"c\">&amp;'</a>", "\\x00\\x07\\x1b[31m"));
    assertThat(Files.size(directory.resolve(ReportDirectory.JUNIT))).isLessThan(3_000_000);
  }

  @Test
  void aReportThatCannotBeWrittenIsAnError() throws Exception {
    Path nowhere = directory.resolve("nowhere");
    assertThatThrownBy(() -> run().tell(new ReportDirectory(nowhere, MadeUpRun.REPEAT, List.of())))
        .isInstanceOf(UncheckedIOException.class)
        .cause()
        .isInstanceOf(IOException.class)
        .hasMessageContaining("nowhere");
  }

  @Test
  void anOldReportIsReplacedAndNothingElseLeft() throws Exception {
    Files.writeString(directory.resolve(ReportDirectory.JUNIT), "old");
    document(run());
    try (var files = Files.list(directory)) {
      assertThat(files.map(Path::getFileName).map(Path::toString))
          .containsExactlyInAnyOrder(ReportDirectory.JUNIT, ReportDirectory.PAGE, ResultsFile.NAME);
    }
  }
}
