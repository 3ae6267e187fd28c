package dev.peerbar.scenario.suite;

import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.bar.MapMemory;
import dev.peerbar.scenario.flr.ControllerUnderLoad;
import dev.peerbar.scenario.flr.ExporterUnderLoad;
import dev.peerbar.scenario.flr.ImportAgain;
import dev.peerbar.scenario.flr.InitiatorUnderLoad;
import dev.peerbar.scenario.flr.RaceMmap;
import dev.peerbar.scenario.flr.ResetExporter;
import dev.peerbar.scenario.flr.StockUnderLoad;
import dev.peerbar.scenario.iommufd.ImportMemory;
import dev.peerbar.scenario.life.Attach;
import dev.peerbar.scenario.life.StockControllerReset;
import dev.peerbar.scenario.life.StockRebind;
import dev.peerbar.scenario.life.StockRemoveUnderLoad;
import dev.peerbar.scenario.life.StockUnbindUnderLoad;
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
import dev.peerbar.scenario.p2pmem.FioThroughMemory;
import dev.peerbar.scenario.p2pmem.OtherDisks;
import dev.peerbar.scenario.p2pmem.OwnDisk;
import dev.peerbar.scenario.p2pmem.Publish;
import dev.peerbar.scenario.p2pmem.RefusedByBridge;
import dev.peerbar.scenario.p2pmem.Unreachable;
import dev.peerbar.scenario.stock.BindAtBoot;
import dev.peerbar.scenario.stock.Blocks;
import dev.peerbar.scenario.stock.FileSystem;
import dev.peerbar.scenario.stock.Identify;
import dev.peerbar.scenario.stock.Logs;
import dev.peerbar.scenario.stock.Refusals;
import dev.peerbar.scenario.stock.Verify;
import dev.peerbar.scenario.stock.VerifyOneByOne;

/**
 * Every scenario that has a verdict, a line each, in the order in which they are listed and run.
 */
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
          new DisableUnderLoad(),
          new BindAtBoot(BindAtBoot.Interrupts.MESSAGES),
          new BindAtBoot(BindAtBoot.Interrupts.PIN),
          new Identify(),
          new Logs(),
          new Blocks(),
          new Refusals(),
          new FileSystem(),
          new Verify(),
          new VerifyOneByOne(),
          new Publish(),
          new OwnDisk(),
          new OtherDisks(),
          new RefusedByBridge(),
          new FioThroughMemory(),
          new Unreachable(),
          new StockRebind(),
          new StockControllerReset(),
          new StockUnderLoad(),
          new StockUnbindUnderLoad(),
          new StockRemoveUnderLoad(StockRemoveUnderLoad.Role.PROVIDER),
          new StockRemoveUnderLoad(StockRemoveUnderLoad.Role.CLIENT));

  private Suite() {}
}
