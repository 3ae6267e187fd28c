package dev.peerbar.cli;

import dev.peerbar.server.trace.TraceFile;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Where to write what happens, if it is to be written. */
final class TraceOption {
  @Option(
      names = "--trace",
      paramLabel = "FILE",
      description =
          "Write a trace of all messages, DMA transfers, resets and interrupts, to be opened in"
              + " ui.perfetto.dev or chrome://tracing.")
  private Path trace;

  /**
   * Begins to trace.
   *
   * @throws CommandFailedException with a sentence if the file cannot be written
   */
  Optional<TraceFile> open() {
    if (trace == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(TraceFile.open(trace));
    } catch (IOException e) {
      throw new CommandFailedException(
          "the trace %s cannot be written: %s".formatted(trace, reason(e)), e);
    }
  }

  /** Without the path again. */
  private static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException _ -> "there is no such folder";
      case AccessDeniedException _ -> "permission denied";
      case FileSystemException failure when failure.getReason() != null -> failure.getReason();
      default -> e.getMessage();
    };
  }
}
