package dev.peerbar.scenario.tour;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ToursTest {
  @Test
  void aPolledBenchIsTheSameInASettingOfItsOwn() {
    Tour<?> plain = Tours.speed(false);
    Tour<?> polled = Tours.speed(true);
    assertThat(plain.setting().name()).isEqualTo("stock-nvme.one-switch.no-iommu.amd-cpu");
    assertThat(polled.setting().name()).isEqualTo(plain.setting().name() + ".polled");
    assertThat(polled.headline()).isEqualTo(plain.headline() + ", polled");
    assertThat(polled.stops()).hasSameSizeAs(plain.stops());
  }
}
