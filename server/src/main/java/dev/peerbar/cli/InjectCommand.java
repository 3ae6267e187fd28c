package dev.peerbar.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.server.TimeText;
import dev.peerbar.server.fault.FaultAnswer;
import dev.peerbar.server.fault.FaultRequest;
import dev.peerbar.server.fault.FaultText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peerbar inject}: has an endpoint that is being served do something wrong. */
@Command(
    name = "inject",
    mixinStandardHelpOptions = true,
    description = {
      "Have an endpoint misbehave that 'peerbar serve … --inject' serves. There is one fault of a"
          + " kind at a time; without --for and --times it lasts until it is cleared."
    })
public final class InjectCommand implements Subcommand {
  private static final int MOST_ANSWER = 1 << 16;
  private static final ObjectMapper JSON = new ObjectMapper();

  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "SOCKET", description = "The endpoint's socket.")
  private Path socket;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "FAULT",
      description = "One of those below.")
  private String fault;

  @Option(
      names = "--for",
      paramLabel = "TIME",
      description = "How long the fault lasts: 90ms, 4s, 2m; up to an hour.")
  private String lasting;

  @Option(
      names = "--times",
      paramLabel = "N",
      description = "How many resets, interrupts or replies it spoils.")
  private Integer times;

  @Option(names = "--clear", description = "End all faults instead.")
  private boolean clear;

  @Option(names = "--list", description = "Print those in force instead.")
  private boolean list;

  /** With the faults that there are in its help. */
  @Override
  public CommandLine commandLine(List<String> arguments) {
    CommandLine commandLine = new CommandLine(this);
    commandLine
        .getCommandSpec()
        .usageMessage()
        .footer(
            FaultText.kinds().stream()
                .map(kind -> "%n  %s%n      %s".formatted(kind.usage(), kind.help()))
                .toArray(String[]::new));
    return commandLine;
  }

  @Override
  public Integer call() {
    FaultAnswer answer = answer(exchange(request()));
    if (answer.error() != null) {
      throw new CommandFailedException(answer.error());
    }
    (answer.faults() == null ? List.of(answer.done()) : answer.faults())
        .forEach(spec.commandLine().getOut()::println);
    spec.commandLine().getOut().flush();
    return 0;
  }

  private FaultRequest request() {
    if ((fault == null ? 0 : 1) + (clear ? 1 : 0) + (list ? 1 : 0) != 1) {
      throw new ParameterException(
          spec.commandLine(), "Give a fault (such as 'stuck'), --clear or --list");
    }
    if (fault == null && (lasting != null || times != null)) {
      throw new ParameterException(spec.commandLine(), "--for and --times go with a fault");
    }
    if (clear) {
      return FaultRequest.clearing();
    }
    if (list) {
      return FaultRequest.listing();
    }
    try {
      FaultText.parse(fault);
      if (lasting != null) {
        TimeText.parse(lasting);
      }
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), capitalized(e.getMessage()), e);
    }
    return FaultRequest.inject(fault, lasting, times);
  }

  private static String capitalized(String sentence) {
    return Character.toUpperCase(sentence.charAt(0)) + sentence.substring(1);
  }

  private FaultAnswer answer(byte[] line) {
    try {
      FaultAnswer answer = JSON.readValue(line, FaultAnswer.class);
      if (answer != null
          && (answer.done() != null || answer.faults() != null || answer.error() != null)) {
        return answer;
      }
    } catch (IOException _) {
      // It is none, and that is said below.
    }
    throw new CommandFailedException(
        "%s is no socket of peerbar's: it gives no answer"
            .formatted(FaultRequest.socketOf(socket)));
  }

  /** Sends a request, and receives all that comes back. */
  private byte[] exchange(FaultRequest request) {
    Path path = FaultRequest.socketOf(socket);
    try {
      return LineClient.ask(path, JSON.writeValueAsBytes(request), MOST_ANSWER);
    } catch (JsonProcessingException e) {
      throw new AssertionError("a request is text", e);
    } catch (IOException | IllegalArgumentException e) {
      throw new CommandFailedException(
          LineClient.explain(
              socket,
              path,
              "%s was not started with --inject: start it again with that".formatted(socket),
              e),
          e);
    }
  }
}
