package dev.peerbar.lab.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Tables of the kernel with rows that a guest at rest does not have. */
final class KernelTablesTest {
  @Test
  void dmaBufsHaveNamesAndDevices() {
    String table =
        """

        Dma-buf Objects:
        size    \tflags   \tmode    \tcount   \texp_name\tino     \tname
        00004096\t00000002\t00080007\t00000002\tudmabuf\t00000007\tmine
        \tAttached Devices:
        \t0000:02:00.0
        \t0000:03:00.0
        Total 2 devices attached

        01048576\t00000002\t00080007\t00000001\tvfio_pci_core\t00000008\t<none>
        \tAttached Devices:
        Total 0 devices attached


        Total 2 objects, 1052672 bytes
        """;
    assertThat(DmaBufObject.parse(table))
        .containsExactly(
            new DmaBufObject(
                4096, 2, "udmabuf", 7, "mine", List.of("0000:02:00.0", "0000:03:00.0")),
            new DmaBufObject(1 << 20, 1, "vfio_pci_core", 8, "", List.of()));
  }

  @Test
  void interruptsMayHaveNoHandler() {
    String table =
        """
                   CPU0       CPU1
          0:         69          0  IR-IO-APIC                  2-edge      timer
         25:          1          2  IR-PCI-MSIX-0000:00:02.0    0-edge      PCIe bwctrl
         31:          0          0  IR-PCI-MSIX-0000:00:10.0    1-edge
        NMI:          0          3  Non-maskable interrupts
        ERR:          0
        """;
    assertThat(InterruptLine.parse(table))
        .containsExactly(
            new InterruptLine("0", List.of(69L, 0L), "IR-IO-APIC", "timer"),
            new InterruptLine("25", List.of(1L, 2L), "IR-PCI-MSIX-0000:00:02.0", "PCIe bwctrl"),
            new InterruptLine("31", List.of(0L, 0L), "IR-PCI-MSIX-0000:00:10.0", ""),
            new InterruptLine("NMI", List.of(0L, 3L), "", "Non-maskable interrupts"),
            new InterruptLine("ERR", List.of(0L), "", ""));
  }
}
