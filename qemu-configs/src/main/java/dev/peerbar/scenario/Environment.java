package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;

/** What a fixture gives one scenario: fresh, and its own until it ends. */
public interface Environment {

  /** The guest, which is shared with the scenarios before and after. */
  Lab lab();

  /** What is particular to this time that the scenario runs. */
  Run run();
}
