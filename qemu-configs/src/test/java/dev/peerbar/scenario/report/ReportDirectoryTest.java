package dev.peerbar.scenario.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.ServedEndpoint;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportDirectoryTest {
  @TempDir private Path directory;

  @Test
  void resultsAreReadAsTheyWereWritten() throws Exception {
    Results results = MadeUpResults.big(20);
    ReportDirectory.write(directory, results, java.util.Optional.empty());
    assertThat(ResultsFile.read(directory)).isEqualTo(results);
  }

  @Test
  void aRunIsRecordedBoundedAndPrintable() throws Exception {
    MadeUpRun.ofEverything(directory.resolve("logs"), MadeUpRun.HOSTILE.repeat(10_000))
        .tell(new ReportDirectory(directory, MadeUpRun.REPEAT, List.of("scenarios", "--seed=7")));
    Results results = ResultsFile.read(directory);
    assertThat(results.run().seed()).isEqualTo(MadeUpRun.SEED);
    assertThat(results.run().command()).containsExactly("scenarios", "--seed=7");
    assertThat(results.run().planned()).isEqualTo(results.results().size());
    assertThat(results.settings()).hasSize(3).allMatch(Results.Setting::ended);
    assertThat(results.results().getFirst().text()).contains("\\x00\\x07").contains("more lines)");
    assertThat(results.results()).extracting(Results.Result::logs).contains("logs/guest-1");
    assertThat(Files.size(directory.resolve(ResultsFile.NAME))).isLessThan(3_000_000);
    assertThat(directory.resolve(ReportDirectory.PAGE)).content().doesNotContain("<a b=");
  }

  /** Whatever ends the run after a setting, even SIGKILL, leaves what was known then. */
  @Test
  void eachSettingIsWrittenWhenItEnds() throws Exception {
    ReportDirectory report = new ReportDirectory(directory, MadeUpRun.REPEAT, List.of());
    try {
      new MadeUpRun(directory, 1)
          .in("first")
          .with("a.passes", new Outcome.Passed("all"))
          .in("second")
          .with("a.passes", new Outcome.Passed("all"))
          .tell(new EndsWithTheFirst(report));
    } catch (IllegalStateException e) {
      assertThat(e).hasMessage("killed");
    }
    Results results = ResultsFile.read(directory);
    assertThat(results.run().planned()).isEqualTo(2);
    assertThat(results.results()).hasSize(1);
    assertThat(results.settings()).hasSize(1);
  }

  private record EndsWithTheFirst(ReportDirectory report)
      implements dev.peerbar.scenario.RunListener {
    @Override
    public void planned(dev.peerbar.scenario.Plan plan, long seed) {
      report.planned(plan, seed);
    }

    @Override
    public void groupBegan(dev.peerbar.scenario.Plan.Group<?> group) {
      report.groupBegan(group);
    }

    @Override
    public void booted(dev.peerbar.scenario.BootResult boot) {
      report.booted(boot);
    }

    @Override
    public void scenarioEnded(dev.peerbar.scenario.ScenarioResult result) {
      report.scenarioEnded(result);
    }

    @Override
    public void groupEnded(dev.peerbar.scenario.GroupEnd end) {
      report.groupEnded(end);
      throw new IllegalStateException("killed");
    }
  }

  @Test
  void devicesAreThoseOfTheCommandLine() {
    String line =
        """
        qemu \\
          -device intel-iommu,caching-mode=on \\
          -device pcie-root-port,id=port-a,bus=pcie.0,addr=2.0,chassis=1,slot=1 \\
          -device virtserialport,bus=serial.0,chardev=agent \\
          -device nvme,serial=x,bus=port-c \\
          -device '{"driver":"vfio-user-pci","id":"a","bus":"port-a","socket":{"type":"unix"}}'\
        """;
    var bar = new ServedEndpoint.BarFacts(2, 64, true);
    assertThat(
            MachineFile.parse(
                line,
                List.of(
                    new ServedEndpoint("hbm-a", List.of(bar)),
                    new ServedEndpoint("hbm-b", List.of()))))
        .containsExactly(
            new Results.Device("port-a", "pcie-root-port", "pcie.0", "1", "", List.of()),
            new Results.Device("", "nvme", "port-c", "", "", List.of()),
            new Results.Device(
                "a",
                "vfio-user-pci",
                "port-a",
                "",
                "hbm-a",
                List.of(new Results.Bar(2, 64, true))));
  }
}
