package dev.peerbar.scenario;

import java.util.List;

/**
 * All scenarios of a setting are over, and its last guest has been turned off.
 *
 * @param setting which
 * @param boots how many guests it took
 * @param problems with guests, rather than with a scenario: one that did not boot, or complained
 *     when it was turned off; empty if all was well
 */
public record GroupEnd(Setting setting, int boots, List<Problem> problems) {
  public GroupEnd {
    problems = List.copyOf(problems);
  }
}
