package dev.peerbar.scenario.p2pmem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.PciDevice;
import org.junit.jupiter.api.Test;

class RefusedPeersTest {
  private static final String NO_WAY =
      "[    4.4] nvme 0000:02:00.0: cannot be used for peer-to-peer DMA as the client and provider"
          + " (0000:01:00.0) do not share an upstream bridge or whitelisted host bridge";
  private static final String NOT_DONE =
      "[    4.4] invalid error, dev nvme2n1, sector 2048 op 0x1:(WRITE) flags 0xc800 phys_seg 128";

  private final RefusedPeers lines =
      new RefusedPeers(
          disk("0000:01:00.0", "nvme0"), disk("0000:02:00.0", "nvme2"), 1 << 20, 1 << 20);

  private static NvmeDisk disk(String address, String name) {
    return new NvmeDisk(null, new PciDevice(null, address, 0x1b36, 0x10, 0x010802), name);
  }

  @Test
  void theKernelMaySayWhatItRefused() {
    assertThat(NO_WAY).matches(lines);
    assertThat(NOT_DONE).matches(lines);
    assertThat("[    9.1] blk_print_req_error: 3 callbacks suppressed").matches(lines);
  }

  @Test
  void itMayNotSaySoOfOthers() {
    assertThat(NO_WAY.replace("02:00.0", "03:00.0")).doesNotMatch(lines);
    assertThat(NO_WAY.replace("01:00.0", "03:00.0")).doesNotMatch(lines);
    assertThat(NOT_DONE.replace("nvme2n1", "nvme0n1")).doesNotMatch(lines);
    assertThat(NOT_DONE.replace("sector 2048", "sector 2047")).doesNotMatch(lines);
    assertThat(NOT_DONE.replace("sector 2048", "sector 4096")).doesNotMatch(lines);
    assertThat(NOT_DONE.replace("invalid error", "I/O error")).doesNotMatch(lines);
  }
}
