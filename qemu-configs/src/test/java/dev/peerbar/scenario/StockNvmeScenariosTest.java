package dev.peerbar.scenario;

import dev.peerbar.scenario.fixture.stock.StockNvme;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** NVMe controllers under the guest's own driver: one boot for each setting. */
@Tag("guest")
final class StockNvmeScenariosTest {

  @TestFactory
  List<DynamicTest> stockNvme() throws Exception {
    return PlanTests.of(StockNvme.KIND);
  }
}
