package dev.peerbar.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.peerbar.server.fault.FaultAnswer;
import dev.peerbar.server.fault.FaultRequest;
import dev.peerbar.server.fault.FaultText;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
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
  /** More than the server takes for any answer. */
  private static final Duration LIMIT = Duration.ofSeconds(30);

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
        FaultText.time(lasting);
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
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(path));
      return exchange(channel, JSON.writeValueAsBytes(request));
    } catch (JsonProcessingException e) {
      throw new AssertionError("a request is text", e);
    } catch (IOException | IllegalArgumentException e) {
      throw new CommandFailedException(explain(path, e), e);
    }
  }

  private static byte[] exchange(SocketChannel channel, byte[] request) throws IOException {
    long end = System.nanoTime() + LIMIT.toNanos();
    ByteBuffer line = ByteBuffer.allocate(request.length + 1).put(request).put((byte) '\n').flip();
    IOException refused = null;
    try {
      while (line.hasRemaining()) {
        // It is far smaller than the socket's buffer.
        channel.write(line);
      }
    } catch (IOException e) {
      // Whoever hangs up before it is asked may have said why.
      refused = e;
    }
    ByteArrayOutputStream answer = new ByteArrayOutputStream();
    ByteBuffer received = ByteBuffer.allocate(MOST_ANSWER);
    channel.configureBlocking(false);
    try (Selector selector = Selector.open()) {
      channel.register(selector, SelectionKey.OP_READ);
      while (read(channel, received.clear(), answer.size() > 0) >= 0
          && answer.size() < MOST_ANSWER) {
        answer.write(received.array(), 0, received.position());
        long left = Duration.ofNanos(end - System.nanoTime()).toMillis();
        if (left <= 0) {
          throw new IOException("no answer in %d s".formatted(LIMIT.toSeconds()));
        }
        selector.select(left);
      }
    }
    if (answer.size() == 0 && refused != null) {
      throw refused;
    }
    return answer.toByteArray();
  }

  /** Who hangs up on a request that it has not read resets the connection after its answer. */
  private static int read(SocketChannel channel, ByteBuffer into, boolean answered)
      throws IOException {
    try {
      return channel.read(into);
    } catch (IOException e) {
      if (answered) {
        return -1;
      }
      throw e;
    }
  }

  private String explain(Path path, Exception failure) {
    if (failure instanceof ConnectException && Files.exists(path)) {
      return "nobody listens at %s: its server has ended, so start it again".formatted(path);
    }
    if (!Files.exists(path)) {
      return Files.exists(socket)
          ? "%s was not started with --inject: start it again with that".formatted(socket)
          : "there is no %s: give the path that 'serve' was given".formatted(socket);
    }
    return "cannot ask at %s (%s): run this as the user who started the server"
        .formatted(path, failure.getMessage());
  }
}
