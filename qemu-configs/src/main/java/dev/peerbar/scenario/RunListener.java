package dev.peerbar.scenario;

/**
 * Is told what happens, as it happens: the one source of every report. All calls come from one
 * thread, in this order: {@link #planned}; for each group {@link #groupBegan}, then guests and
 * scenarios, then {@link #groupEnded}; {@link #ended}.
 */
public interface RunListener {

  /**
   * Nothing has happened yet.
   *
   * @param seed from which those of all scenarios follow
   */
  default void planned(Plan plan, long seed) {}

  default void groupBegan(Plan.Group<?> group) {}

  /** A guest is up, or did not boot. */
  default void booted(BootResult boot) {}

  default void scenarioBegan(Setting setting, Description scenario, int round) {}

  default void scenarioEnded(ScenarioResult result) {}

  default void groupEnded(GroupEnd end) {}

  default void ended() {}
}
