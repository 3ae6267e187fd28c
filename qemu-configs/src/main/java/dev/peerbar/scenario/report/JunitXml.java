package dev.peerbar.scenario.report;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/**
 * A file of JUnit's XML, as Jenkins' junit-10.xsd describes it: a suite for each setting. A test
 * that a scenario's program made is a case of a class of its own, beside the scenario's.
 */
final class JunitXml {
  private static final String GUESTS = "guests";

  private final XMLStreamWriter xml;
  private final Results results;
  private int depth;

  private JunitXml(XMLStreamWriter xml, Results results) {
    this.xml = xml;
    this.results = results;
  }

  /** Writes all of a file; what it is written to is left open. */
  static void write(OutputStream file, Results results) throws IOException {
    try {
      XMLStreamWriter xml =
          XMLOutputFactory.newFactory().createXMLStreamWriter(file, StandardCharsets.UTF_8.name());
      new JunitXml(xml, results).suites();
      xml.close();
    } catch (XMLStreamException e) {
      throw new IOException(e);
    }
  }

  private void suites() throws XMLStreamException {
    xml.writeStartDocument(StandardCharsets.UTF_8.name(), "1.0");
    List<Suite> suites =
        results.settings().stream()
            .map(setting ->
                new Suite(
                    setting,
                    results.results().stream()
                        .filter(r -> r.setting().equals(setting.name()))
                        .toList()))
            .toList();
    begin("testsuites");
    attribute("name", "peerbar scenarios");
    attribute("tests", suites.stream().mapToInt(Suite::tests).sum());
    attribute("failures", suites.stream().mapToInt(Suite::failures).sum());
    attribute("errors", 0);
    attribute("time", seconds(suites.stream().mapToDouble(Suite::seconds).sum()));
    for (Suite suite : suites) {
      suite(suite);
    }
    end();
    xml.writeEndDocument();
  }

  /** What came of a setting; the last one's is not all there yet if the run broke off. */
  private record Suite(Results.Setting setting, List<Results.Result> results) {
    int failures() {
      return (setting.problems().isEmpty() ? 0 : 1) + count(Results.Outcome.FAILED);
    }

    int skipped() {
      return count(Results.Outcome.SKIPPED);
    }

    int tests() {
      return results.size() + (int) subtests().count() + (setting.ended() ? 1 : 0);
    }

    private int count(Results.Outcome outcome) {
      return (int)
          Stream.concat(
                  results.stream().map(Results.Result::outcome),
                  subtests().map(Results.Subtest::outcome))
              .filter(outcome::equals)
              .count();
    }

    private Stream<Results.Subtest> subtests() {
      return results.stream().flatMap(r -> r.subtests().stream());
    }

    double bootSeconds() {
      return setting.boots().stream().mapToDouble(Results.Boot::seconds).sum();
    }

    double seconds() {
      return bootSeconds() + results.stream().mapToDouble(Results.Result::seconds).sum();
    }
  }

  private void suite(Suite suite) throws XMLStreamException {
    begin("testsuite");
    attribute("name", suite.setting.name());
    attribute("tests", suite.tests());
    attribute("failures", suite.failures());
    attribute("errors", 0);
    attribute("skipped", suite.skipped());
    attribute("time", seconds(suite.seconds()));
    // As the schema has it: seconds, and no zone.
    attribute("timestamp", suite.setting.began().replaceFirst("(\\.\\d+)?Z$", ""));
    properties(suite);
    for (Results.Result result : suite.results) {
      scenario(result);
      for (Results.Subtest subtest : result.subtests()) {
        subtest(result, subtest);
      }
    }
    if (suite.setting.ended()) {
      guests(suite);
    }
    end();
  }

  private void properties(Suite suite) throws XMLStreamException {
    Results.Setting setting = suite.setting;
    begin("properties");
    property("seed", String.valueOf(results.run().seed()));
    property("fixture", setting.fixture());
    property("topology", setting.topology());
    property("iommu", setting.viommu());
    property("cpu", setting.cpu());
    if (!setting.variant().isEmpty()) {
      property("variant", setting.variant());
    }
    if (!setting.kernelArguments().isEmpty()) {
      property("kernel-arguments", setting.kernelArguments());
    }
    var kernel =
        setting.boots().stream().map(Results.Boot::release).filter(r -> !r.isEmpty()).findFirst();
    if (kernel.isPresent()) {
      property("kernel", kernel.get());
    }
    end();
  }

  private void property(String name, String value) throws XMLStreamException {
    newLine();
    xml.writeEmptyElement("property");
    attribute("name", name);
    attribute("value", value);
  }

  private void scenario(Results.Result result) throws XMLStreamException {
    testcase(
        result.family(),
        Account.nameInFamily(result.scenario(), result.round(), results.run().rounds()),
        result.seconds());
    switch (result.outcome()) {
      case PASSED -> element("system-out", result.text().lines().toList());
      case SKIPPED -> skipped(result.text());
      case FAILED ->
          failure(result.problems().getFirst(), Account.failure(result, Printable.MOST_LINES));
    }
    end();
  }

  private void subtest(Results.Result of, Results.Subtest subtest) throws XMLStreamException {
    // How long it took is not known.
    testcase(of.scenario(), Account.name(subtest.name(), of.round(), results.run().rounds()), 0);
    switch (subtest.outcome()) {
      case PASSED -> {}
      case SKIPPED -> skipped(subtest.text());
      case FAILED -> {
        begin("failure");
        attribute("type", "SUBTEST");
        attribute("message", subtest.text());
        text(subtest.text().lines().toList());
      }
    }
    end();
  }

  private void skipped(String reason) throws XMLStreamException {
    newLine();
    xml.writeEmptyElement("skipped");
    attribute("message", reason);
  }

  private void guests(Suite suite) throws XMLStreamException {
    testcase(GUESTS, GUESTS, suite.bootSeconds());
    List<Results.Problem> problems = suite.setting.problems();
    if (!problems.isEmpty()) {
      failure(
          problems.getFirst(),
          problems.stream().flatMap(p -> Account.problem(p).stream()).toList());
    }
    List<String> lines = new ArrayList<>();
    for (Results.Boot boot : suite.setting.boots()) {
      lines.add(
          "guest %d: %s after %s s, logs in %s"
              .formatted(
                  boot.number(),
                  boot.failure().isEmpty() ? "up" : "given up",
                  String.format(Locale.ROOT, "%.1f", boot.seconds()),
                  boot.logs()));
      for (String complaint : boot.complaints()) {
        lines.addAll(Account.bootComplaint(complaint));
      }
    }
    element("system-out", lines);
    end();
  }

  private void testcase(String classname, String name, double took) throws XMLStreamException {
    begin("testcase");
    attribute("classname", classname);
    attribute("name", name);
    attribute("time", seconds(took));
  }

  private void failure(Results.Problem problem, List<String> text) throws XMLStreamException {
    begin("failure");
    attribute("type", problem.kind());
    attribute("message", problem.words() + ": " + problem.text());
    text(text);
  }

  private static String seconds(double seconds) {
    return String.format(Locale.ROOT, "%.3f", seconds);
  }

  private void begin(String name) throws XMLStreamException {
    newLine();
    xml.writeStartElement(name);
    depth++;
  }

  private void end() throws XMLStreamException {
    depth--;
    newLine();
    xml.writeEndElement();
  }

  private void attribute(String name, int value) throws XMLStreamException {
    attribute(name, String.valueOf(value));
  }

  private void attribute(String name, String value) throws XMLStreamException {
    xml.writeAttribute(name, Printable.line(value));
  }

  private void element(String name, List<String> lines) throws XMLStreamException {
    begin(name);
    text(lines);
  }

  /** The text of an element, and its end. */
  private void text(List<String> lines) throws XMLStreamException {
    xml.writeCharacters(String.join("\n", lines));
    depth--;
    xml.writeEndElement();
  }

  private void newLine() throws XMLStreamException {
    xml.writeCharacters("\n" + "  ".repeat(depth));
  }
}
