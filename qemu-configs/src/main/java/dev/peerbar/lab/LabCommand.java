package dev.peerbar.lab;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.cli.Subcommand;
import dev.peerbar.lab.qemu.Machine;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.scenario.P2pScenario;
import dev.peerbar.lab.scenario.StepPrinter;
import dev.peerbar.lab.setup.LabFiles;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupException;
import dev.peerbar.lab.setup.Steps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peerbar lab}: a scenario in a booted guest. */
@Command(
    name = "lab",
    mixinStandardHelpOptions = true,
    description = {
      "Serves endpoints, boots a Linux guest with them, and performs a scenario step by step.",
      "p2p: two HBM endpoints do peer-to-peer DMA through a DMABUF and survive FLR."
    },
    footer = {
      "",
      "Exit status: 0 if every step held, 1 if one did not, 2 for a wrong command line."
    })
public final class LabCommand implements Subcommand {
  private static final Duration SHELL = Duration.ofDays(365);

  /** The labs there are. */
  private enum Name {
    P2P
  }

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "LAB",
      defaultValue = "p2p",
      description = "Which scenario: p2p (the default).")
  private Name name;

  @Option(
      names = "--topology",
      paramLabel = "NAME",
      defaultValue = "one-switch",
      description = "one-switch or two-root-ports (default: one-switch).")
  private String topology;

  @Option(
      names = "--kernel",
      paramLabel = "BZIMAGE",
      description = "A guest kernel of your own, with what kernel/p2p.config lists.")
  private Path kernel;

  @Option(names = "--qemu", paramLabel = "PATH", description = "A QEMU of your own, 10.1 or later.")
  private Path qemu;

  @Option(
      names = "--shell",
      description = "Give a shell in the guest, with the endpoints there, instead of the steps.")
  private boolean shell;

  @Option(
      names = "--keep-logs",
      paramLabel = "DIR",
      description =
          "Keep the logs of QEMU and the guest there. Without it they are kept, in a temporary"
              + " directory, only if a step fails.")
  private Path keepLogs;

  @Override
  public Integer call() throws IOException {
    if (!Topology.NAMES.contains(topology)) {
      throw new ParameterException(
          spec.commandLine(),
          "There is no topology %s; there are %s"
              .formatted(topology, String.join(" and ", Topology.NAMES)));
    }
    LabFiles files = setUp();
    Path logs = keepLogs != null ? keepLogs : Files.createTempDirectory("peerbar-logs-");
    boolean held = false;
    try {
      held = run(files, Machine.of(Topology.named(topology)), logs);
    } catch (IOException e) {
      throw new CommandFailedException("%s; the logs are in %s".formatted(e.getMessage(), logs), e);
    } finally {
      if (held && keepLogs == null) {
        Lab.delete(logs);
      }
    }
    if (!held) {
      System.err.println("peerbar: a step failed; the logs are in " + logs);
    }
    return held ? 0 : 1;
  }

  private LabFiles setUp() throws IOException {
    Setup setup = Setup.ofUser(Steps.toStandardError());
    setup = kernel == null ? setup : setup.withKernel(kernel);
    setup = qemu == null ? setup : setup.withQemu(qemu);
    try {
      return setup.run();
    } catch (SetupException e) {
      throw new CommandFailedException(e.getMessage(), e);
    }
  }

  private boolean run(LabFiles files, Machine machine, Path logs) throws IOException {
    if (shell) {
      try (P2pScenario scenario =
          P2pScenario.start(files, machine.withTerminal().withShell(), logs)) {
        return scenario.lab().qemu().awaitEnd(SHELL);
      }
    }
    long start = System.nanoTime();
    try (P2pScenario scenario = P2pScenario.start(files, machine, logs)) {
      System.out.printf(
          "%s on %s: the guest is up after %.1f s%n",
          name.name().toLowerCase(Locale.ROOT), topology, seconds(start));
      boolean held = new StepPrinter(System.out).perform(scenario);
      System.out.printf(
          "%s in %.1f s%n", held ? "every step held" : "a step failed", seconds(start));
      return held;
    }
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
