package dev.peerbar.scenario.command;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupException;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.RunListener;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options of every command that boots a guest: what of it is the user's own. */
final class LabFilesOptions implements RunListener {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--kernel",
      paramLabel = "BZIMAGE",
      description =
          "A guest kernel of your own, with what kernel/p2p.config lists. What it lacks is named,"
              + " by its configuration: in the image (CONFIG_IKCONFIG), beside it (config-RELEASE,"
              + " config), in its build tree or its modules' directory, or /proc/config.gz.")
  private Path kernel;

  @Option(
      names = "--modules",
      paramLabel = "DIR",
      description =
          "The modules of that kernel, lib/modules/RELEASE: the guest loads those that it needs.")
  private Path modules;

  @Option(names = "--qemu", paramLabel = "PATH", description = "A QEMU of your own, 10.1 or later.")
  private Path qemu;

  private boolean sourceTold;

  /**
   * What a guest is made of, set up if it is not there.
   *
   * @throws CommandFailedException if something of it cannot be got or used
   */
  LabFiles setUp() throws IOException {
    if (modules != null && kernel == null) {
      throw new ParameterException(
          command.commandLine(), "--modules is for the kernel that --kernel gives");
    }
    Setup setup = Setup.ofUser(SetupOutput.toStandardError());
    setup = kernel == null ? setup : setup.withKernel(kernel);
    setup = modules == null ? setup : setup.withModules(modules);
    setup = qemu == null ? setup : setup.withQemu(qemu);
    try {
      return setup.run();
    } catch (SetupException e) {
      throw new CommandFailedException(e.getMessage(), e);
    }
  }

  /** Says once what a kernel of the user's has not, and how that is known. */
  @Override
  public void booted(BootResult boot) {
    if (kernel != null && !sourceTold && boot.kernel().isPresent()) {
      sourceTold = true;
      KernelOptions options = boot.kernel().get();
      List<String> missing = options.missing(EnumSet.allOf(KernelNeed.class));
      command
          .commandLine()
          .getErr()
          .printf(
              "peerbar: %s%n",
              missing.isEmpty()
                  ? "the kernel lacks nothing (by " + options.source() + ")"
                  : options.clause(missing) + "; what needs them cannot be tried");
    }
  }

  /** The same options again, as words of a command line. */
  List<String> words() {
    return Stream.of(word("--kernel", kernel), word("--modules", modules), word("--qemu", qemu))
        .flatMap(Optional::stream)
        .toList();
  }

  private static Optional<String> word(String option, Path file) {
    return Optional.ofNullable(file).map(path -> option + "=" + path);
  }

  /** What to do about a QEMU that ended at once. */
  String wayOut() {
    List<String> ways = new ArrayList<>();
    if (kernel != null) {
      ways.add(
          "--kernel takes an x86-64 bzImage with what qemu-configs/kernel/p2p.config lists, not "
              + kernel);
    }
    if (qemu != null) {
      ways.add("--qemu takes an x86-64 QEMU 10.1 or later, not " + qemu);
    }
    return ways.isEmpty() ? "Its command line is in qemu.args" : String.join(", and ", ways);
  }
}
