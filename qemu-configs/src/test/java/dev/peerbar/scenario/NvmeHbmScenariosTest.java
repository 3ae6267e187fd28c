package dev.peerbar.scenario;

import dev.peerbar.scenario.fixture.nvme.NvmeHbm;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** A controller that a device drives, through vfio-pci: one boot for each topology. */
@Tag("guest")
final class NvmeHbmScenariosTest {

  @TestFactory
  List<DynamicTest> nvmeAndHbm() throws Exception {
    return PlanTests.of(NvmeHbm.KIND);
  }
}
