package dev.peerbar.scenario.tour;

import dev.peerbar.scenario.Environment;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import java.util.List;

/**
 * Scenarios in one guest, told step by step. They stand alone: a tour only puts them in an order in
 * which they make sense to a reader.
 *
 * @param headline what is shown, where
 * @param logs name of the directory of its logs
 * @param kind of fixture
 * @param setting of the kind
 * @param stops in order
 */
public record Tour<E extends Environment>(
    String headline, String logs, FixtureKind<E> kind, Setting setting, List<Stop<E>> stops) {

  /**
   * One step.
   *
   * @param id short, for people and scripts
   */
  public record Stop<E extends Environment>(String id, Scenario<E> scenario) {}

  public Tour {
    stops = List.copyOf(stops);
  }
}
