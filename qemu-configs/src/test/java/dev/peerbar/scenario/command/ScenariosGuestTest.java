package dev.peerbar.scenario.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.bar.MapMemory;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.report.Results;
import dev.peerbar.scenario.report.ResultsFile;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import javax.xml.parsers.DocumentBuilderFactory;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import picocli.CommandLine;

/** The command with guests: standard output and a report agree. */
@Timeout(600)
@Tag("guest")
class ScenariosGuestTest {
  private static final String SETTING = "hbm-pair.one-switch.intel-iommu.amd-cpu";

  @TempDir private Path directory;

  /** One that fails. */
  private static final class Fails implements Scenario<HbmPair> {
    @Override
    public Description description() {
      return Description.of("made-up.fails", "do nothing", "something comes of it");
    }

    @Override
    public FixtureKind<HbmPair> fixture() {
      return HbmPair.KIND;
    }

    @Override
    public String run(HbmPair pair) throws UnexpectedException {
      throw new UnexpectedException("nothing came of it");
    }
  }

  @Test
  void aReportSaysWhatStandardOutputSays() throws Exception {
    StringWriter out = new StringWriter();
    Path report = directory.resolve("made").resolve("for-it");
    int status =
        new CommandLine(new ScenariosCommand(Registry.of(new Fails(), new MapMemory())))
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setOut(new PrintWriter(out, true))
            .execute("--format=ktap", "--seed=5", "--report=" + report);
    assertThat(status).isEqualTo(1);
    // A guest that something failed in is not used again.
    assertThat(out.toString().lines().map(String::strip).filter(l -> !l.startsWith("#")))
        .containsExactly(
            "KTAP version 1",
            "1..1",
            "KTAP version 1",
            "1..3",
            "not ok 1 made-up.fails",
            "ok 2 bar.map",
            "ok 3 guests",
            "not ok 1 " + SETTING);
    assertThat(out.toString())
        .contains("# saw: nothing came of it", "(Linux ", "# 2 guests")
        .contains("scenarios --only=made-up.fails --topology=one-switch --seed=5");

    Element root =
        DocumentBuilderFactory.newDefaultNSInstance()
            .newDocumentBuilder()
            .parse(report.resolve("junit.xml").toFile())
            .getDocumentElement();
    assertThat(root.getAttribute("tests")).isEqualTo("3");
    assertThat(root.getAttribute("failures")).isEqualTo("1");
    NodeList failures = root.getElementsByTagName("failure");
    assertThat(failures.getLength()).isEqualTo(1);
    assertThat(failures.item(0).getTextContent())
        .contains("saw: nothing came of it", "logs: logs/" + SETTING + "/guest-1");
    Results results = ResultsFile.read(report);
    assertThat(results.results())
        .extracting(Results.Result::scenario, Results.Result::outcome)
        .containsExactly(
            Tuple.tuple("made-up.fails", Results.Outcome.FAILED),
            Tuple.tuple("bar.map", Results.Outcome.PASSED));
    assertThat(results.results().getLast().timeline().events())
        .extracting(Results.Event::kind, Results.Event::text)
        .anyMatch(event ->
            event.toList().getFirst().equals("call")
                && event.toList().getLast().toString().startsWith("mmap "));
    assertThat(results.settings().getFirst().machine())
        .filteredOn(device -> !device.endpoint().isEmpty())
        .extracting(Results.Device::endpoint, Results.Device::bus)
        .containsExactly(Tuple.tuple("hbm-a", "port-a"), Tuple.tuple("hbm-b", "port-b"));
    assertThat(results.kernels()).hasSize(1).allMatch(kernel -> !kernel.release().isEmpty());
    assertThat(report.resolve("logs").resolve(SETTING).resolve("guest-1").resolve("console.log"))
        .isNotEmptyFile();
  }
}
