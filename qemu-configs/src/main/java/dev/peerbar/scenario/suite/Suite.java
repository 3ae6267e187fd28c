package dev.peerbar.scenario.suite;

import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.bar.MapMemory;
import dev.peerbar.scenario.flr.ControllerUnderLoad;
import dev.peerbar.scenario.flr.ExporterUnderLoad;
import dev.peerbar.scenario.flr.ImportAgain;
import dev.peerbar.scenario.flr.InitiatorUnderLoad;
import dev.peerbar.scenario.flr.RaceMmap;
import dev.peerbar.scenario.flr.ResetExporter;
import dev.peerbar.scenario.iommufd.ImportMemory;
import dev.peerbar.scenario.life.Attach;
import dev.peerbar.scenario.nvme.AttachController;
import dev.peerbar.scenario.nvme.CompleteIntoPeer;
import dev.peerbar.scenario.nvme.DisableUnderLoad;
import dev.peerbar.scenario.nvme.Initialise;
import dev.peerbar.scenario.nvme.MixedCommands;
import dev.peerbar.scenario.nvme.MoveEverywhere;
import dev.peerbar.scenario.nvme.Refuse;
import dev.peerbar.scenario.nvme.WriteByPeer;
import dev.peerbar.scenario.p2p.CopyThereAndBack;
import dev.peerbar.scenario.p2p.CopyWhilePolling;
import dev.peerbar.scenario.p2p.RingDoorbell;

/** Every scenario of the program, a line each, in the order in which they are listed and run. */
public final class Suite {
  public static final Registry ALL =
      Registry.of(
          new Attach(),
          new MapMemory(),
          new ImportMemory(),
          new CopyThereAndBack(),
          new CopyWhilePolling(),
          new RingDoorbell(),
          new ResetExporter(),
          new ImportAgain(),
          new ExporterUnderLoad(),
          new InitiatorUnderLoad(),
          new RaceMmap(),
          new AttachController(),
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
