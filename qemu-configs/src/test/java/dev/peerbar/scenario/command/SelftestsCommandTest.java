package dev.peerbar.scenario.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/** What the command makes of command lines, without a lab. */
class SelftestsCommandTest {
  private final StringWriter out = new StringWriter();
  private final StringWriter errors = new StringWriter();

  private int status(String option) {
    CommandLine commandLine =
        Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(errors, true));
    return commandLine.execute("selftests", option);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "--topology=three-switches | There is no topology three-switches; there are one-switch, two",
        "--viommu=smmu | There is no vIOMMU smmu; there are intel-iommu, amd-iommu, virtio-iommu,",
        "--timeout=0 | --timeout takes 1 to 86400 seconds, not 0",
        "--format=xml | expected one of [TEXT, KTAP] (case-insensitive) but was 'xml'",
        "--report=/dev/null/report | The directory /dev/null/report cannot be made",
        "--kernel-source=/nowhere | /nowhere is no directory with a Linux source tree for x86",
        "--kernel-config=fast | There is no kernel configuration 'fast'; there are default, debug, ",
        "--only=vfio_pci_device_test | Unknown option: '--only=vfio_pci_device_test'",
        "--seed=1 | Unknown option: '--seed=1'",
      })
  void aWrongCommandLineIsSaidToBe(String option, String sentence) {
    assertThat(status(option)).isEqualTo(2);
    assertThat(errors.toString().lines().findFirst().orElseThrow()).contains(sentence);
    assertThat(out.toString()).isEmpty();
  }

  @Test
  void whatHasNothingToDoWithTheKernelEndsABisection() {
    assertThat(status("--qemu=/nowhere/qemu")).isEqualTo(ExitStatus.NOT_TRIED);
    assertThat(errors.toString()).contains("The QEMU /nowhere/qemu cannot be run");
  }
}
