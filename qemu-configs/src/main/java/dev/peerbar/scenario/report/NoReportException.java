package dev.peerbar.scenario.report;

/** There is no report that can be used; the message is a sentence that says why. */
public final class NoReportException extends Exception {
  private static final long serialVersionUID = 1L;

  public NoReportException(String sentence) {
    super(sentence);
  }
}
