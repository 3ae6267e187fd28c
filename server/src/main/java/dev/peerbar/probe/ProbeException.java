package dev.peerbar.probe;

import java.io.IOException;

/** A question that the server did not answer as it should. */
final class ProbeException extends IOException {
  private static final long serialVersionUID = 1L;

  private final String question;

  /**
   * @param question what was asked, as a noun
   * @param cause what went wrong
   */
  ProbeException(String question, IOException cause) {
    super(question + ": " + cause.getMessage(), cause);
    this.question = question;
  }

  String question() {
    return question;
  }

  @Override
  public synchronized IOException getCause() {
    return (IOException) super.getCause();
  }
}
