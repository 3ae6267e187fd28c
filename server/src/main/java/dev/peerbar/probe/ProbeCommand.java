package dev.peerbar.probe;

import dev.peerbar.cli.CommandFailedException;
import dev.peerbar.cli.Subcommand;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.OptionalInt;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code peerbar probe}. */
@Command(
    name = "probe",
    mixinStandardHelpOptions = true,
    description = "Show the device behind a vfio-user socket, as lspci -vv shows one on a bus.",
    footer = {
      "",
      "Writes nothing to the device. Works with any vfio-user server that has no client yet.",
      "'peerbar probe -x ... > FILE' is what 'lspci -F FILE -vv' reads.",
      "JSON: sizes and counts are numbers; ids, addresses and offsets are strings of hex digits.",
      "Members: socket, protocol, identity, command, status, regions, irqs, features,",
      "capabilities (fields and registers named as lspci names them), config_space (with -x)."
    })
public final class ProbeCommand implements Subcommand {
  private static final int STANDARD_CONFIG = 256;
  private static final int ALL_CONFIG = 4096;
  private static final int MOST_SECONDS = 3600;
  private static final int MILLIS_DIGITS = 3;

  /** More than a reply to any of our questions has. */
  private static final int MOST_MESSAGE = 4 << 20;

  @Spec private CommandSpec spec;

  @Option(
      names = "--socket-path",
      required = true,
      paramLabel = "PATH",
      description = "The UNIX socket that the server listens on.")
  private Path socketPath;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Option(
      names = "-x",
      description =
          "Dump config space too: -x all there is (256 or 4096 bytes), -xxx the first 256 bytes,"
              + " -xxxx 4096. Unlike lspci's, a plain -x is not cut at 64 bytes, so that lspci -F"
              + " can decode what it reads.")
  private boolean[] hex = {};

  @Option(names = "-n", description = "Show numbers instead of names.")
  private boolean numeric;

  @Option(
      names = "-i",
      paramLabel = "FILE",
      description = "Take names from this list of PCI ids instead of the machine's.")
  private Path ids;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description = "How long to wait for the server in all; ${DEFAULT-VALUE} unless set.")
  private BigDecimal timeout;

  @Override
  public Integer call() {
    OptionalInt hexBytes = hexBytes();
    Duration limit = limit();
    PciNames names = names();
    Snapshot snapshot = snapshot(limit);
    snapshot
        .warnings()
        .forEach(warning -> spec.commandLine().getErr().println("peerbar: " + warning));
    Identity identity = new Identity(new ConfigHeader(snapshot.config()), names, numeric);
    PrintWriter out = spec.commandLine().getOut();
    out.print(
        json
            ? JsonReport.of(snapshot, identity, socketPath.toString(), hexBytes)
            : TextReport.of(snapshot, identity, hexBytes));
    out.flush();
    return 0;
  }

  private OptionalInt hexBytes() {
    return switch (hex.length) {
      case 0 -> OptionalInt.empty();
      case 1, 4 -> OptionalInt.of(ALL_CONFIG);
      case 3 -> OptionalInt.of(STANDARD_CONFIG);
      default -> throw new ParameterException(spec.commandLine(), "Give -x, -xxx or -xxxx");
    };
  }

  private Duration limit() {
    if (timeout.signum() <= 0 || timeout.compareTo(BigDecimal.valueOf(MOST_SECONDS)) > 0) {
      throw new ParameterException(
          spec.commandLine(),
          "--timeout is more than 0 and at most %d seconds".formatted(MOST_SECONDS));
    }
    long millis = timeout.scaleByPowerOfTen(MILLIS_DIGITS).longValue();
    return Duration.ofMillis(Math.max(1, millis));
  }

  private PciNames names() {
    if (ids == null) {
      return numeric ? PciNames.none() : PciNames.ofMachine();
    }
    try {
      return PciNames.of(ids);
    } catch (IOException e) {
      throw new CommandFailedException(
          "cannot read %s: give a list of PCI ids, or leave -i out for the machine's"
              .formatted(ids),
          e);
    }
  }

  private Snapshot snapshot(Duration limit) {
    Explanation explanation = new Explanation(socketPath, limit);
    long deadline = System.nanoTime() + limit.toNanos();
    try (VfioUserClient client = connect(limit)) {
      return new SnapshotReader(client, deadline).read();
    } catch (LinuxException e) {
      throw new CommandFailedException(explanation.ofConnecting(e), e);
    } catch (ProbeException e) {
      throw new CommandFailedException(explanation.of(e), e);
    }
  }

  private VfioUserClient connect(Duration limit) throws LinuxException {
    FileDescriptor socket = UnixSocket.connect(socketPath, limit);
    return VfioUserClient.connectStrictly(socket, MOST_MESSAGE);
  }
}
