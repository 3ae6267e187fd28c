package dev.peerbar.cli;

import dev.peerbar.server.screenshot.PngFile;
import dev.peerbar.server.screenshot.ScreenshotRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code peerbar screenshot}: what an output of an endpoint shows that is being served. */
@Command(
    name = "screenshot",
    mixinStandardHelpOptions = true,
    description = "Write what an output of an endpoint shows that 'peerbar serve' serves, as PNG.")
public final class ScreenshotCommand implements Subcommand {
  /** More than the largest picture can be: 4095 by 4095 pixels of 3 bytes, and some. */
  private static final int MOST_ANSWER = 64 << 20;

  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "SOCKET", description = "The endpoint's socket.")
  private Path socket;

  @Parameters(index = "1", paramLabel = "FILE", description = "Written anew, if it is there.")
  private Path file;

  @Option(
      names = "--output",
      paramLabel = "N",
      defaultValue = "0",
      description = "Which output, counted from 0; the first without it.")
  private int output;

  @Override
  public Integer call() {
    if (output < 0) {
      throw new ParameterException(
          spec.commandLine(), "--output takes a number from 0, not " + output);
    }
    byte[] answer = ask();
    if (!PngFile.is(answer)) {
      String sentence = new String(answer, StandardCharsets.UTF_8).strip();
      throw new CommandFailedException(
          sentence.isEmpty() ? "%s gives no answer".formatted(socket) : sentence);
    }
    try {
      Files.write(file, answer);
    } catch (IOException e) {
      throw new CommandFailedException("%s cannot be written: %s".formatted(file, e), e);
    }
    return 0;
  }

  private byte[] ask() {
    Path path = ScreenshotRequest.socketOf(socket);
    try {
      return LineClient.ask(path, new ScreenshotRequest(output).line(), MOST_ANSWER);
    } catch (IOException | IllegalArgumentException e) {
      throw new CommandFailedException(
          LineClient.explain(socket, path, "%s has no outputs: a gpu has".formatted(socket), e), e);
    }
  }
}
