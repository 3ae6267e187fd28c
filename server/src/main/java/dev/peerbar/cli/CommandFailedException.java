package dev.peerbar.cli;

/** A command cannot do what it was asked; the message is one sentence for the person who asked. */
public final class CommandFailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public CommandFailedException(String sentence) {
    super(sentence);
  }

  public CommandFailedException(String sentence, Throwable cause) {
    super(sentence, cause);
  }
}
