package dev.peerbar.scenario.report;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Problem;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/** A file of JUnit's XML, as Jenkins' junit-10.xsd describes it. */
final class JunitXml implements AutoCloseable {
  private static final String GUESTS = "guests";

  private final OutputStream file;
  private final XMLStreamWriter xml;
  private final Path directory;
  private final Account account;
  private int depth;

  private JunitXml(OutputStream file, XMLStreamWriter xml, Path directory, Account account) {
    this.file = file;
    this.xml = xml;
    this.directory = directory;
    this.account = account;
  }

  /**
   * Begins a file.
   *
   * @param directory from which paths in it are relative, if they lead below
   */
  static JunitXml to(Path path, Path directory, Account account)
      throws IOException, XMLStreamException {
    OutputStream file = Files.newOutputStream(path);
    try {
      return new JunitXml(
          file,
          XMLOutputFactory.newFactory().createXMLStreamWriter(file, StandardCharsets.UTF_8.name()),
          directory,
          account);
    } catch (XMLStreamException e) {
      file.close();
      throw e;
    }
  }

  void write(List<JunitReport.Suite> suites) throws XMLStreamException {
    xml.writeStartDocument(StandardCharsets.UTF_8.name(), "1.0");
    begin("testsuites");
    attribute("name", "peerbar scenarios");
    attribute("tests", suites.stream().mapToInt(JunitReport.Suite::tests).sum());
    attribute("failures", suites.stream().mapToInt(JunitReport.Suite::failures).sum());
    attribute("errors", 0);
    attribute("time", seconds(suites.stream().flatMap(JunitXml::times)));
    for (JunitReport.Suite suite : suites) {
      suite(suite);
    }
    end();
    xml.writeEndDocument();
  }

  private void suite(JunitReport.Suite suite) throws XMLStreamException {
    begin("testsuite");
    attribute("name", suite.group.setting().name());
    attribute("tests", suite.tests());
    attribute("failures", suite.failures());
    attribute("errors", 0);
    attribute("skipped", suite.skipped());
    attribute("time", seconds(times(suite)));
    attribute(
        "timestamp",
        DateTimeFormatter.ISO_LOCAL_DATE_TIME.format(
            suite.began.truncatedTo(ChronoUnit.SECONDS).atOffset(ZoneOffset.UTC)));
    properties(suite);
    for (ScenarioResult result : suite.results) {
      scenario(result);
    }
    if (suite.end.isPresent()) {
      guests(suite, suite.end.get());
    }
    end();
  }

  private void properties(JunitReport.Suite suite) throws XMLStreamException {
    Setting setting = suite.group.setting();
    begin("properties");
    property("seed", String.valueOf(account.seed()));
    property("fixture", setting.fixture());
    property("topology", setting.topology());
    property("iommu", setting.viommu().label());
    property("cpu", setting.cpu().label());
    if (!setting.variant().isEmpty()) {
      property("variant", setting.variant());
    }
    if (!setting.kernelArguments().isEmpty()) {
      property("kernel-arguments", setting.kernelArguments());
    }
    var kernel = suite.boots.stream().flatMap(b -> KernelRelease.in(b.logs()).stream()).findFirst();
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

  private void scenario(ScenarioResult result) throws XMLStreamException {
    testcase(
        result.scenario().family(),
        account.nameInFamily(result.scenario(), result.round()),
        result.took());
    switch (result.outcome()) {
      case Outcome.Passed(String saw) -> element("system-out", Printable.lines(saw));
      case Outcome.Skipped(String reason) -> {
        newLine();
        xml.writeEmptyElement("skipped");
        attribute("message", reason);
      }
      case Outcome.Failed failed ->
          failure(
              failed.problems().getFirst(),
              account.failure(
                  result, failed, relative(failed.evidence().logs()), Printable.MOST_LINES));
    }
    end();
  }

  private void guests(JunitReport.Suite suite, GroupEnd end) throws XMLStreamException {
    testcase(GUESTS, GUESTS, total(suite.boots.stream().map(BootResult::took)));
    if (!end.problems().isEmpty()) {
      failure(
          end.problems().getFirst(),
          end.problems().stream().flatMap(p -> Account.problem(p).stream()).toList());
    }
    List<String> lines = new ArrayList<>();
    for (BootResult boot : suite.boots) {
      lines.add(
          "guest %d: %s after %s s, logs in %s"
              .formatted(
                  boot.number(),
                  boot.failure().isPresent() ? "given up" : "up",
                  Account.seconds(boot.took(), 1),
                  relative(boot.logs())));
      for (Lab.Complaint complaint : boot.complaints()) {
        lines.addAll(Account.bootComplaint(complaint));
      }
    }
    element("system-out", lines);
    end();
  }

  private void testcase(String classname, String name, Duration took) throws XMLStreamException {
    begin("testcase");
    attribute("classname", classname);
    attribute("name", name);
    attribute("time", Account.seconds(took, 3));
  }

  private void failure(Problem problem, List<String> text) throws XMLStreamException {
    begin("failure");
    attribute("type", problem.kind().name());
    attribute("message", problem.toString());
    text(text);
  }

  private String relative(Path logs) {
    return (logs.startsWith(directory) ? directory.relativize(logs) : logs).toString();
  }

  private static Stream<Duration> times(JunitReport.Suite suite) {
    return Stream.concat(
        suite.results.stream().map(ScenarioResult::took),
        suite.boots.stream().map(BootResult::took));
  }

  private static Duration total(Stream<Duration> times) {
    return times.reduce(Duration.ZERO, Duration::plus);
  }

  private static String seconds(Stream<Duration> times) {
    return Account.seconds(total(times), 3);
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

  @Override
  public void close() throws IOException, XMLStreamException {
    try {
      xml.close();
    } finally {
      file.close();
    }
  }
}
