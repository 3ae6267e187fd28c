package dev.peerbar.scenario.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.Main;
import dev.peerbar.scenario.report.Results;
import dev.peerbar.scenario.report.ResultsFile;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import picocli.CommandLine;

/** The kernel's own tests of vfio, built and run with each endpoint. */
@Timeout(1200)
@Tag("guest")
class SelftestsGuestTest {
  private static final Path REPORT = Path.of("target", "lab-logs", "selftests").toAbsolutePath();

  private final StringWriter out = new StringWriter();
  private final StringWriter errors = new StringWriter();

  private int status(String... words) {
    CommandLine commandLine =
        Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(errors, true));
    String[] all = new String[words.length + 1];
    all[0] = "selftests";
    System.arraycopy(words, 0, all, 1, words.length);
    return commandLine.execute(all);
  }

  /** But for the storm, which copies 64 GiB and has a limit of its own for that. */
  private static final String HARNESS =
      "-T memcpy_storm -V vfio_type1_iommu -V iommufd_compat_type1 -V iommufd_compat_type1v2";

  @Test
  void noTestFailsWithAnyEndpoint() throws Exception {
    int status =
        status(
            "--harness=" + HARNESS,
            "--report=" + REPORT,
            "ioat.vfio_pci_driver_test",
            "hbm.vfio_dma_mapping_mmio_test",
            "vfio_pci_device_test",
            "vfio_pci_sriov_uapi_test");
    assertThat(status).as(out.toString()).isZero();
    List<String> lines = out.toString().lines().toList();
    assertThat(lines)
        .containsSubsequence(
            "KTAP version 1",
            "1..3",
            "  # Subtest: selftests-ioat.one-switch.intel-iommu.amd-cpu",
            "  1..4",
            "    # Subtest: selftests.ioat.vfio_pci_device_test",
            "    ok 1 vfio_pci_device_test.config_space_read_write",
            "    # Totals: pass:4 fail:0 xfail:0 xpass:0 skip:1 error:0",
            "  ok 1 selftests.ioat.vfio_pci_device_test",
            "    # Subtest: selftests.ioat.vfio_pci_driver_test",
            "    # Totals: pass:12 fail:0 xfail:0 xpass:0 skip:0 error:0",
            "  ok 2 selftests.ioat.vfio_pci_driver_test",
            "ok 1 selftests-ioat.one-switch.intel-iommu.amd-cpu",
            "  ok 1 selftests.hbm.vfio_dma_mapping_mmio_test",
            "ok 2 selftests-hbm.one-switch.intel-iommu.amd-cpu",
            "ok 3 selftests-nvme.one-switch.intel-iommu.amd-cpu");
    assertThat(lines)
        .filteredOn(line -> line.contains("# SKIP SR-IOV may not be supported by the PF: 0000:"))
        .hasSize(3);
    List<Results.Result> results = ResultsFile.read(REPORT).results();
    assertThat(results).hasSize(8);
    assertThat(results.get(1).subtests())
        .hasSize(12)
        .extracting(Results.Subtest::name, Results.Subtest::outcome)
        .contains(
            Tuple.tuple(
                "vfio_pci_driver_test.iommufd.memcpy_to_unmapped_iova", Results.Outcome.PASSED));
  }

  @Test
  void whatIsNotThereIsSaidNotToBe() {
    assertThat(status("vfio_pci_driver_test", "vfio_pci_drivers_test")).isEqualTo(2);
    assertThat(errors.toString())
        .contains("There is no test 'vfio_pci_drivers_test'; --list prints their names.");
    assertThat(out.toString()).isEmpty();
  }

  @Test
  void aListHasWhatIsAskedFor() {
    assertThat(status("--list", "ioat.*driver*")).isZero();
    assertThat(out.toString()).startsWith("selftests.ioat.vfio_pci_driver_test ").hasLineCount(1);
  }
}
