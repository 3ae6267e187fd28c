package dev.peerbar.scenario.command;

import dev.peerbar.cli.Subcommand;
import dev.peerbar.lab.setup.SelftestFiles;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.report.Repeat;
import dev.peerbar.scenario.selftest.SelftestSuite;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peerbar selftests}: the kernel's own tests of vfio, with each endpoint. */
@Command(
    name = "selftests",
    mixinStandardHelpOptions = true,
    description = {
      "Builds the kernel's own tests of vfio (tools/testing/selftests/vfio) from the source of the"
          + " guest's kernel, as they are, and runs each with the I/OAT, HBM and NVMe endpoints.",
      "Standard output has the results, and nothing else: as KTAP with all that the programs say of"
          + " their tests."
    },
    footer = {
      "",
      "Exit status, as git bisect run takes it: 0 if nothing failed, 1 if something did, 125 if the"
          + " kernel or its tests do not build or no guest boots with it, 128 if nothing could be"
          + " tried for another reason (QEMU, the network), 2 for a wrong command line."
    },
    exitCodeOnExecutionException = ExitStatus.NOT_TRIED)
public final class SelftestsCommand implements Subcommand {
  /** vfio_pci_driver_test copies 320 GiB if it is let. */
  private static final int TIMEOUT_SECONDS = 1800;

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..*",
      paramLabel = "TEST",
      description =
          "Only these: programs such as vfio_pci_driver_test, or programs with one endpoint such as"
              + " ioat.vfio_pci_driver_test; both may be patterns, such as '*dma*' or 'hbm.*'.")
  private List<String> tests = new ArrayList<>();

  @Option(names = "--list", description = "Print names and what they do, and run nothing.")
  private boolean list;

  @Option(
      names = "--harness",
      paramLabel = "OPTIONS",
      description =
          "Options for the programs, as the kernel's kselftest_harness.h has them: '-v iommufd' runs"
              + " one variant of each test, '-t reset' those of a name, '-T memcpy_storm' all others.")
  private String harness = "";

  @Mixin private RunOptions run = new RunOptions(TIMEOUT_SECONDS, RunOptions.Format.KTAP);

  @Mixin private LabFilesOptions own;

  @Override
  public Integer call() throws IOException {
    own.check();
    run.check();
    run.makeReportDirectory();
    SelftestFiles files = own.setUpWithSelftests();
    List<Scenario<?>> scenarios =
        scenarios(SelftestSuite.of(files.tests().programs(), harnessOptions()));
    if (list) {
      ScenarioList.print(scenarios, spec.commandLine().getOut());
      return ExitStatus.HELD;
    }
    spec.commandLine().getErr().println("peerbar: the tests are of " + files.tests().source());
    Plan plan = Plan.of(scenarios, run.places(), own.kernels(), 1);
    // Nothing in them is chosen at random.
    return run.run(plan, files.files(), 0, own, repeat());
  }

  private List<Scenario<?>> scenarios(Registry all) {
    List<String> globs = new ArrayList<>();
    for (String test : tests) {
      String glob = SelftestSuite.FAMILY + (test.contains(".") ? "." : ".*.") + test;
      try {
        all.matching(List.of(glob));
      } catch (IllegalArgumentException e) {
        throw new ParameterException(
            spec.commandLine(),
            "There is no test '%s'; --list prints their names.".formatted(test),
            e);
      }
      globs.add(glob);
    }
    return all.matching(globs);
  }

  private List<String> harnessOptions() {
    return harness.isBlank() ? List.of() : List.of(harness.strip().split("\\s+"));
  }

  private Repeat repeat() {
    List<String> options = new ArrayList<>(run.words(own));
    if (!harness.isBlank()) {
      options.add("--harness=" + harness.strip());
    }
    return new Repeat(
        name -> List.of("selftests", name.substring(SelftestSuite.FAMILY.length() + 1)),
        false,
        options,
        run.choosesViommus());
  }
}
