package dev.peerbar.scenario;

import java.util.List;

/** What came of a scenario. */
public sealed interface Outcome {

  /**
   * All was as expected.
   *
   * @param saw what was seen, a line for people
   */
  record Passed(String saw) implements Outcome {}

  /**
   * It was not tried.
   *
   * @param reason what it needs and is not there
   */
  record Skipped(String reason) implements Outcome {}

  /**
   * It failed.
   *
   * @param problems at least one, that of the scenario itself first
   * @param evidence what was seen around
   */
  record Failed(List<Problem> problems, Evidence evidence) implements Outcome {
    public Failed {
      problems = List.copyOf(problems);
      if (problems.isEmpty()) {
        throw new IllegalArgumentException("failed for no reason");
      }
    }
  }
}
