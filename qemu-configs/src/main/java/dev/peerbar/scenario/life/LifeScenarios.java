package dev.peerbar.scenario.life;

import dev.peerbar.scenario.Scenario;
import java.util.List;
import java.util.stream.Stream;

/** What comes and goes: functions opened and closed, bound and unbound, removed and found again. */
public final class LifeScenarios {
  private LifeScenarios() {}

  /** All of them, in the order in which they are listed and run. */
  public static List<Scenario<?>> all() {
    return Stream.of(
            List.of(new Attach()),
            CloseFunction.all(),
            BindFunction.all(),
            List.of(new TwoGuests(), new HotAdd(), new Reboot()),
            HotRemove.all(),
            KillServer.all(),
            List.of(
                new StockRebind(),
                new StockControllerReset(),
                new StockUnbindUnderLoad(),
                new StockSuspend(),
                new StockRemoveUnderLoad(StockRemoveUnderLoad.Role.PROVIDER),
                new StockRemoveUnderLoad(StockRemoveUnderLoad.Role.CLIENT)))
        .<Scenario<?>>flatMap(List::stream)
        .toList();
  }
}
