package dev.peerbar.scenario.life;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class LostServerTest {
  private static final String QEMU = "qemu-system-x86_64: ";
  private static final String READ =
      QEMU + "vfio_region_read(vfio-user:/tmp/x/c.sock:region0+0x1c, 4) failed: Bad address";

  private final LostServer lines = new LostServer(Path.of("/tmp/x/c.sock"));

  @Test
  void qemuMaySayThatTheServerHasGone() {
    assertThat(READ).matches(lines);
    assertThat(QEMU + "failed to read header: EOF").matches(lines);
    assertThat(QEMU + "Unable to write to socket: Broken pipe").matches(lines);
    assertThat(QEMU + "vfio_user_device_io_region_read: Unable to write to socket: Broken pipe")
        .matches(lines);
    assertThat(
            QEMU
                + "vfio_container_dma_map(0x55557d93e400, 0x300000, 0x1000, 0x7f393159e000) = -5"
                + " (Input/output error)")
        .matches(lines);
    assertThat(
            QEMU
                + "vfio_container_dma_unmap(0x55557d93e400, 0x300000, 0x1000) = -5"
                + " (Input/output error)")
        .matches(lines);
  }

  @Test
  void itMayNotSaySoOfOthersOrComplainOfOtherThings() {
    assertThat(READ.replace("c.sock", "a.sock")).doesNotMatch(lines);
    assertThat(READ.replace("Bad address", "Invalid argument")).doesNotMatch(lines);
    assertThat(QEMU + "failed to read header: EOF of something else").doesNotMatch(lines);
    assertThat(QEMU + "vtd_iommu_translate: detected translation failure (dev=04:00:00, iova=0x0)")
        .doesNotMatch(lines);
    assertThat("[    1.0] vfio-pci 0000:05:00.0: not ready 1023ms after FLR; waiting")
        .doesNotMatch(lines);
  }
}
