package dev.peerbar.bench.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Effort;
import dev.peerbar.bench.harness.Figure;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Boots a guest, once, and only sees that everything in it can be measured. */
@Tag("guest")
class GuestComparisonTest {

  @Test
  void measuresAccessesAndTransfers() throws Exception {
    Bench bench = new Bench(Effort.QUICK, _ -> {});

    new GuestComparison().run(bench);

    assertThat(bench.figures())
        .extracting(Figure::path)
        .containsExactly(
            "register read, waiting, beside edu",
            "register read, busy-poll, beside edu",
            "register write, waiting, beside edu",
            "register write, busy-poll, beside edu",
            "BAR load, beside guest memory",
            "BAR load, beside ivshmem",
            "BAR store, beside guest memory",
            "BAR store, beside ivshmem",
            "copy from a BAR, beside guest memory",
            "copy from a BAR, beside ivshmem",
            "copy to a BAR, beside guest memory",
            "copy to a BAR, beside ivshmem",
            "DMA to guest memory, beside nvme",
            "DMA from guest memory, beside nvme",
            "DMA to ivshmem, beside nvme",
            "DMA from ivshmem, beside nvme",
            "DMA to a peer endpoint, beside nvme",
            "DMA from a peer endpoint, beside nvme",
            "DMA in guest memory, beside nvme");
    assertThat(bench.figures())
        .allSatisfy(figure -> {
          assertThat(figure.floor().orElseThrow()).isFinite();
          assertThat(figure.value()).isFinite();
          assertThat(figure.ratio().orElseThrow().median()).isFinite();
        });
  }
}
