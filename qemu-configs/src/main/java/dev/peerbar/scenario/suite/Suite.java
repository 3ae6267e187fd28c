package dev.peerbar.scenario.suite;

import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.bar.MapMemory;
import dev.peerbar.scenario.flr.ControllerUnderLoad;
import dev.peerbar.scenario.nvme.Attach;
import dev.peerbar.scenario.nvme.CompleteIntoPeer;
import dev.peerbar.scenario.nvme.DisableUnderLoad;
import dev.peerbar.scenario.nvme.Initialise;
import dev.peerbar.scenario.nvme.MixedCommands;
import dev.peerbar.scenario.nvme.MoveEverywhere;
import dev.peerbar.scenario.nvme.Refuse;
import dev.peerbar.scenario.nvme.WriteByPeer;

/** Every scenario of the program, a line each, in the order in which they are listed and run. */
public final class Suite {
  public static final Registry ALL =
      Registry.of(
          new MapMemory(),
          new Attach(),
          new Initialise(),
          new WriteByPeer(),
          new MoveEverywhere(),
          new Refuse(),
          new CompleteIntoPeer(),
          new MixedCommands(),
          new ControllerUnderLoad(),
          new DisableUnderLoad());

  private Suite() {}
}
