package dev.peerbar.scenario.life;

import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.Setting;
import dev.peerbar.scenario.fixture.stock.Load;
import dev.peerbar.scenario.fixture.stock.NvmeController;
import dev.peerbar.scenario.fixture.stock.Peers;
import dev.peerbar.scenario.fixture.stock.StockNvme;
import dev.peerbar.scenario.fixture.stock.StockNvme.Absence;

/** The endpoint is pulled out while one disk works through another controller's memory. */
public final class StockRemoveUnderLoad implements Scenario<StockNvme> {
  private final Role role;

  /** What the endpoint was to its peer. */
  public enum Role {
    PROVIDER(
        "life.stock-remove-provider",
        "remove the endpoint while a peer's disk works through its CMB, and rescan",
        "fio ends with an error or SIGBUS; found again, the CMB carries a peer's data"),
    CLIENT(
        "life.stock-remove-client",
        "remove the endpoint while its disk works through a peer's CMB, and rescan",
        "fio ends with an error; found again, the disk works through the peer's CMB");

    private final Description description;

    Role(String name, String does, String expects) {
      description = Description.of(name, does, expects).needing(GuestFeature.PEER_MEMORY);
    }
  }

  public StockRemoveUnderLoad(Role role) {
    this.role = role;
  }

  @Override
  public Description description() {
    return role.description;
  }

  @Override
  public FixtureKind<StockNvme> fixture() {
    return StockNvme.KIND;
  }

  @Override
  public boolean belongsIn(Setting setting) {
    return StockNvme.isForEverything(setting);
  }

  @Override
  public String run(StockNvme nvme) throws Exception {
    NvmeController provider = role == Role.PROVIDER ? nvme.underTest() : nvme.second();
    NvmeController client = role == Role.PROVIDER ? nvme.second() : nvme.underTest();
    Peers peers = nvme.peers(provider, client);
    try (Load load = Load.through(peers)) {
      load.awaitProgress();
      long start = System.nanoTime();
      String end;
      try (Absence _ = nvme.remove()) {
        end = load.awaitFailure(start);
      }
      peers.moveBytes();
      nvme.peers(client, provider).moveBytes();
      return end;
    }
  }
}
