package dev.peerbar.lab.scenario;

/**
 * One step of a scenario.
 *
 * @param id short, for people and scripts
 * @param title what is done
 * @param expected what should be seen
 * @param action does it
 */
public record Step(String id, String title, String expected, Action action) {

  /** What a step does. */
  @FunctionalInterface
  public interface Action {
    /**
     * @return what was seen, if it is as expected
     * @throws UnexpectedException if something else was seen
     * @throws Exception if it could not be done
     */
    String perform() throws Exception;
  }
}
