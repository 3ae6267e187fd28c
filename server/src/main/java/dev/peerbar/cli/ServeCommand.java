package dev.peerbar.cli;

import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.Polling;
import dev.peerbar.server.dma.DmaTable;
import dev.peerbar.server.trace.TraceFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * {@code peerbar serve}: endpoints in the foreground until SIGTERM (vfio-user specification,
 * backend program conventions).
 */
@Command(
    name = Main.SERVE,
    mixinStandardHelpOptions = true,
    description = "Serve virtual PCIe endpoints until SIGTERM.")
public final class ServeCommand implements Subcommand {
  private static final int MIB_BITS = 20;

  @Spec private CommandSpec spec;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "A YAML file that lists the endpoints to serve from this one process.")
  private Path config;

  @Mixin private TraceOption trace;

  private EndpointTypes types;

  /** With a subcommand for every type of endpoint, or for the one that is named at once. */
  @Override
  public CommandLine commandLine(List<String> arguments) {
    types = EndpointTypes.builtIn().with(PluginOption.in(arguments));
    CommandLine commandLine = new CommandLine(this);
    commandLine.getCommandSpec().addOption(PluginOption.option(false));
    Optional<FoundType> named =
        arguments.size() > 1 ? types.find(arguments.get(1)) : Optional.empty();
    named
        .map(List::of)
        .orElseGet(types::all)
        .forEach(type -> commandLine.addSubcommand(EndpointCommand.of(type)));
    return commandLine;
  }

  /** Says of a word that is no command which there are, unless one is much like it. */
  ParameterException explain(UnmatchedArgumentException unmatched) {
    String word = unmatched.getUnmatched().getFirst();
    if (word.startsWith("-") || !unmatched.getSuggestions().isEmpty()) {
      return unmatched;
    }
    String sentence = types.missing(word);
    return new ParameterException(
        unmatched.getCommandLine(),
        Character.toUpperCase(sentence.charAt(0)) + sentence.substring(1) + ".",
        unmatched);
  }

  @Override
  public Integer call() {
    if (config == null) {
      throw new ParameterException(
          spec.commandLine(), "Name an endpoint (such as 'serve hbm') or give --config=FILE");
    }
    return serve(
        EndpointFile.read(config, types).endpoints().stream()
            .map(endpoint ->
                new Placed(endpoint, endpoint.serving().at(endpoint.serving().socketPath())))
            .toList(),
        trace);
  }

  /** An endpoint, and where to serve it. */
  record Placed(EndpointSpec spec, ListenAddress place) {}

  /**
   * Serves until SIGTERM.
   *
   * @return the exit status
   * @throws CommandFailedException with a sentence if they cannot all be served
   */
  static int serve(List<Placed> endpoints, TraceOption traceOption) {
    checkProcessors(endpoints);
    Optional<TraceFile> trace = traceOption.open();
    ServedEndpoints served = new ServedEndpoints();
    Thread shutdown =
        new Thread(
            () -> {
              try {
                served.close();
                // Then nothing more can happen that the file should say.
                trace.ifPresent(TraceFile::close);
                Main.endLog();
              } finally {
                // A hook's end would let the JVM report the signal; a server that was told to stop
                // has done its job.
                Runtime.getRuntime().halt(0);
              }
            },
            "shutdown");
    Runtime.getRuntime().addShutdownHook(shutdown);
    long mappings =
        endpoints.stream().mapToLong(placed -> placed.spec.serving().options().maxDmaMaps()).sum();
    heapTooSmall(mappings, Runtime.getRuntime().maxMemory())
        .ifPresent(LoggerFactory.getLogger(ServeCommand.class)::warn);
    for (Placed placed : endpoints) {
      try {
        if (!served.start(placed.spec, placed.place)) {
          // It was told to stop.
          break;
        }
        System.out.println("ready " + placed.place);
      } catch (IllegalArgumentException | IOException e) {
        giveUp(served, trace, shutdown);
        throw new CommandFailedException(e.getMessage(), e);
      } catch (RuntimeException | Error e) {
        giveUp(served, trace, shutdown);
        throw e;
      }
    }
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return 0;
  }

  private static void checkProcessors(List<Placed> endpoints) {
    List<Polling> polled =
        endpoints.stream().flatMap(placed -> placed.spec.serving().polling().stream()).toList();
    if (!polled.isEmpty()) {
      polled.forEach(AllowedProcessors.here()::check);
    }
  }

  /**
   * Whether clients can fill the heap with mappings.
   *
   * @param mappings that all of them may have together
   * @param heap at most, in bytes
   * @return what to do about it, if they can fill more than half of it
   */
  static Optional<String> heapTooSmall(long mappings, long heap) {
    long bytes = mappings * DmaTable.MOST_BYTES;
    if (bytes <= heap / 2) {
      return Optional.empty();
    }
    return Optional.of(
        "%d DMA mappings may take %d MiB, and the heap is %d MiB: allow fewer (--max-dma-maps) or"
                .formatted(mappings, bytes >> MIB_BITS, heap >> MIB_BITS)
            + " give it more (JAVA_TOOL_OPTIONS=-Xmx%dm)".formatted(2 * (bytes >> MIB_BITS) + 1));
  }

  private static void giveUp(ServedEndpoints served, Optional<TraceFile> trace, Thread shutdown) {
    served.close();
    trace.ifPresent(TraceFile::close);
    try {
      // It would turn the status of this failure into 0.
      Runtime.getRuntime().removeShutdownHook(shutdown);
    } catch (IllegalStateException _) {
      // It was told to stop before it failed, and stops.
    }
  }
}
