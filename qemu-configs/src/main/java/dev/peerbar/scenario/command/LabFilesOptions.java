package dev.peerbar.scenario.command;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.kernel.KernelOptions;
import dev.peerbar.lab.setup.KernelPatch;
import dev.peerbar.lab.setup.KernelRequest;
import dev.peerbar.lab.setup.KernelUnfitException;
import dev.peerbar.lab.setup.KernelVariant;
import dev.peerbar.lab.setup.SelftestFiles;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupException;
import dev.peerbar.lab.setup.SetupOutput;
import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.RunListener;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
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

  @Option(
      names = "--kernel-source",
      paramLabel = "DIR",
      description =
          "Build the guest kernel from your own tree, with the options of kernel/p2p.config (a"
              + " .config in DIR is of no account), in the cache: DIR stays as it is, and the next"
              + " time only what has changed is built. If something was built in DIR itself, what"
              + " git knows of it is copied first.")
  private Path kernelSource;

  @Option(
      names = "--patch",
      paramLabel = "FILE",
      split = ",",
      splitSynopsisLabel = ",",
      description =
          "Build the guest kernel with patches: mails or diffs, or names of those in"
              + " kernel/patches. They are applied in order, exactly, to a copy of DIR or else of"
              + " the distribution's source.")
  private List<String> patches = new ArrayList<>();

  @Option(
      names = "--kernel-config",
      paramLabel = "NAME",
      split = ",",
      splitSynopsisLabel = ",",
      description =
          "Build guest kernels with more options, from kernel/NAME.config: one kernel for each"
              + " NAME, all of which are tried. A+B is one kernel with both, default is the one"
              + " without more.")
  private List<String> kernelConfigs = new ArrayList<>();

  private final Set<String> sourcesTold = new HashSet<>();
  private List<KernelVariant> variants = List.of();
  private List<KernelPatch> found = List.of();

  /**
   * Looks at what was asked for.
   *
   * @throws ParameterException if it cannot be right
   */
  void check() throws IOException {
    wrongIf(modules != null && kernel == null, "--modules is for the kernel that --kernel gives");
    wrongIf(
        kernel != null && builds(),
        "--kernel gives a kernel that is built already; --kernel-source, --patch and"
            + " --kernel-config build one");
    wrongIf(
        kernelSource != null && !KernelRequest.isSource(kernelSource),
        kernelSource + " is no directory with a Linux source tree for x86");
    try {
      List<KernelVariant> named = new ArrayList<>();
      for (String name : kernelConfigs.stream().distinct().toList()) {
        named.add(KernelVariant.parse(name));
      }
      variants = named.isEmpty() ? List.of(KernelVariant.ONLY) : List.copyOf(named);
      List<KernelPatch> files = new ArrayList<>();
      for (String name : patches) {
        files.add(KernelPatch.find(name));
      }
      found = List.copyOf(files);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(command.commandLine(), e.getMessage());
    }
  }

  private void wrongIf(boolean wrong, String sentence) {
    if (wrong) {
      throw new ParameterException(command.commandLine(), sentence);
    }
  }

  private boolean builds() {
    return kernelSource != null || !patches.isEmpty() || !kernelConfigs.isEmpty();
  }

  /** The kernels that are tried, by their names; an empty one if there was nothing to choose. */
  List<String> kernels() {
    return variants.stream().map(KernelVariant::name).toList();
  }

  /** Whether the kernel is not the lab's own. */
  boolean ownKernel() {
    return kernel != null || builds();
  }

  /**
   * What guests are made of, by {@link #kernels}, set up if it is not there. After {@link #check}.
   *
   * @throws CommandFailedException if something of it cannot be got or used
   */
  Map<String, LabFiles> setUp() throws IOException {
    return setUp(Setup::runAll);
  }

  /**
   * What guests are made of that have the kernel's own tests of vfio, set up if it is not there.
   * After {@link #check}.
   *
   * @throws CommandFailedException if something of it cannot be got or used
   */
  SelftestFiles setUpWithSelftests() throws IOException {
    return setUp(Setup::runWithSelftests);
  }

  /** Has set-up make something. */
  @FunctionalInterface
  private interface Making<T> {
    T make(Setup setup) throws IOException, SetupException;
  }

  private <T> T setUp(Making<T> making) throws IOException {
    Setup setup = Setup.ofUser(SetupOutput.toStandardError());
    setup = kernel == null ? setup : setup.withKernel(kernel);
    setup = modules == null ? setup : setup.withModules(modules);
    setup = qemu == null ? setup : setup.withQemu(qemu);
    setup =
        builds()
            ? setup.withKernels(
                new KernelRequest(Optional.ofNullable(kernelSource), found, variants))
            : setup;
    try {
      return making.make(setup);
    } catch (KernelUnfitException e) {
      throw new CommandFailedException(e.getMessage(), e, ExitStatus.NO_KERNEL);
    } catch (SetupException e) {
      throw new CommandFailedException(e.getMessage(), e, ExitStatus.NOT_TRIED);
    }
  }

  /** Says once of each what a kernel of the user's has not, and how that is known. */
  @Override
  public void booted(BootResult boot) {
    String name = boot.setting().kernel();
    if (ownKernel() && boot.kernel().isPresent() && sourcesTold.add(name)) {
      KernelOptions options = boot.kernel().get();
      List<String> missing = options.missing(EnumSet.allOf(KernelNeed.class));
      command
          .commandLine()
          .getErr()
          .printf(
              "peerbar: %s%s%n",
              name.isEmpty() ? "" : name + ": ",
              missing.isEmpty()
                  ? "the kernel lacks nothing (by " + options.source() + ")"
                  : options.clause(missing) + "; what needs them cannot be tried");
    }
  }

  /**
   * The same options again, as words of a command line, but for the names of kernels: those are a
   * setting's.
   */
  List<String> words() {
    return Stream.concat(
            Stream.of(
                    word("--kernel", kernel),
                    word("--modules", modules),
                    word("--qemu", qemu),
                    word("--kernel-source", kernelSource))
                .flatMap(Optional::stream),
            patches.stream().map(patch -> "--patch=" + patch))
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
