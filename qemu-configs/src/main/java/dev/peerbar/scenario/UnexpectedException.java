package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import java.util.List;
import java.util.stream.Collectors;

/** A step saw something else than it expected; the message says what. */
public final class UnexpectedException extends Exception {
  private static final long serialVersionUID = 1L;

  public UnexpectedException(String seen) {
    super(seen);
  }

  /** Throws what was seen unless it is as it should be. */
  public static void unless(boolean asExpected, String format, Object... seen)
      throws UnexpectedException {
    if (!asExpected) {
      throw new UnexpectedException(format.formatted(seen));
    }
  }

  /** Throws what the logs complain of, if they do. */
  public static void unlessQuiet(List<Lab.Complaint> complaints) throws UnexpectedException {
    unless(
        complaints.isEmpty(),
        "%d lines:%n%s",
        complaints.size(),
        complaints.stream().map(Lab.Complaint::toString).collect(Collectors.joining("\n")));
  }
}
