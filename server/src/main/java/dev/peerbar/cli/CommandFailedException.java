package dev.peerbar.cli;

import picocli.CommandLine;

/** A command cannot do what it was asked; the message is one sentence for the person who asked. */
public final class CommandFailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int status;

  public CommandFailedException(String sentence) {
    super(sentence);
    status = CommandLine.ExitCode.SOFTWARE;
  }

  public CommandFailedException(String sentence, Throwable cause) {
    this(sentence, cause, CommandLine.ExitCode.SOFTWARE);
  }

  /**
   * For commands whose exit status tells more than one reason.
   *
   * @param status 1 to 255
   */
  public CommandFailedException(String sentence, Throwable cause, int status) {
    super(sentence, cause);
    this.status = status;
  }

  /** The program's exit status. */
  public int status() {
    return status;
  }
}
