package dev.peerbar.scenario.suite;

import dev.peerbar.scenario.Registry;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.bar.BarScenarios;
import dev.peerbar.scenario.dmabuf.DmabufScenarios;
import dev.peerbar.scenario.fault.FaultScenarios;
import dev.peerbar.scenario.flr.FlrScenarios;
import dev.peerbar.scenario.importer.ImporterScenarios;
import dev.peerbar.scenario.ioat.IoatScenarios;
import dev.peerbar.scenario.iommufd.IommufdScenarios;
import dev.peerbar.scenario.life.LifeScenarios;
import dev.peerbar.scenario.nvme.NvmeScenarios;
import dev.peerbar.scenario.p2p.P2pScenarios;
import dev.peerbar.scenario.p2pmem.P2pmemScenarios;
import dev.peerbar.scenario.stock.StockScenarios;
import dev.peerbar.scenario.topology.TopologyScenarios;
import dev.peerbar.scenario.type1.Type1Scenarios;
import dev.peerbar.scenario.zone.ZoneScenarios;
import java.util.List;
import java.util.stream.Stream;

/** Every scenario that has a verdict, family by family, in the order in which they are run. */
public final class Suite {
  public static final Registry ALL =
      new Registry(
          Stream.of(
                  LifeScenarios.all(),
                  BarScenarios.all(),
                  DmabufScenarios.all(),
                  IommufdScenarios.all(),
                  Type1Scenarios.all(),
                  P2pScenarios.all(),
                  FlrScenarios.all(),
                  IoatScenarios.all(),
                  ImporterScenarios.all(),
                  FaultScenarios.all(),
                  ZoneScenarios.all(),
                  TopologyScenarios.all(),
                  NvmeScenarios.all(),
                  StockScenarios.all(),
                  P2pmemScenarios.all())
              .<Scenario<?>>flatMap(List::stream)
              .toList());

  private Suite() {}
}
