package dev.peerbar.scenario.p2pmem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.disk.NvmeDisk;
import org.junit.jupiter.api.Test;

class FailedTransfersTest {
  private static final String STATUS =
      "[   72.9] nvme0n1: I/O Cmd(0x1) @ LBA 2048, 1024 blocks, I/O Error (sct 0x0 / sc 0x4) MORE ";
  private static final String ERROR =
      "[   72.9] I/O error, dev nvme0n1, sector 2048 op 0x1:(WRITE) flags 0xc800 phys_seg 128";

  private final FailedTransfers lines =
      new FailedTransfers(new NvmeDisk(null, null, "nvme0"), 1 << 20, 1 << 20);

  @Test
  void theKernelMaySayThatATransferFailed() {
    assertThat(STATUS).matches(lines);
    assertThat(ERROR).matches(lines);
  }

  @Test
  void itMayNotSaySoOfOtherDisksBlocksOrErrors() {
    assertThat(STATUS.replace("nvme0n1", "nvme1n1")).doesNotMatch(lines);
    assertThat(STATUS.replace("sc 0x4", "sc 0x6")).doesNotMatch(lines);
    assertThat(STATUS.replace("LBA 2048", "LBA 2047")).doesNotMatch(lines);
    assertThat(ERROR.replace("nvme0n1", "nvme1n1")).doesNotMatch(lines);
    assertThat(ERROR.replace("sector 2048", "sector 4096")).doesNotMatch(lines);
    assertThat(ERROR.replace("I/O error", "critical target error")).doesNotMatch(lines);
  }
}
