package dev.peerbar.scenario.nvme;

import dev.peerbar.scenario.Scenario;
import java.util.List;

/** A controller that a device drives. */
public final class NvmeScenarios {
  private NvmeScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return List.of(
        new AttachController(),
        new Initialise(),
        new WriteByPeer(),
        new MoveEverywhere(),
        new Refuse(),
        new CompleteIntoPeer(),
        new MixedCommands(),
        new DisableUnderLoad());
  }
}
