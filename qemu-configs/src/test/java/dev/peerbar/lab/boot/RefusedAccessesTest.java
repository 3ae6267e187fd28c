package dev.peerbar.lab.boot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.lab.guest.PciDevice;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class RefusedAccessesTest {
  private static final PciDevice DEVICE = new PciDevice(null, "0000:04:00.0", 0, 0, 0);
  private static final long IOVA = 0x200000;
  private static final long LENGTH = 64 << 20;

  private final RefusedAccesses refused = RefusedAccesses.writes(DEVICE, IOVA, LENGTH);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[   32.927353] DMAR: DRHD: handling fault status reg 2",
        "[   32.932205] DMAR: [DMA Write NO_PASID] Request device [0000:04:00.0] fault addr 0x380000"
            + " [fault reason 0x05] PTE Write access is not set",
        "[   38.124659] dmar_fault: 11 callbacks suppressed",
        "[    6.033851] pci 0000:00:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000"
            + " address=0x0 flags=0x000a]",
        "qemu-system-x86_64: virtio_iommu_translate no mapping for 0x380000 for sid=1024",
        "[    6.124659] virtio_iommu virtio1: page fault from EP 1024 at 0x380004 [mapping]",
        "[    6.124659] amd_iommu_report_page_fault: 3 callbacks suppressed",
        "qemu-system-x86_64: vtd_iova_to_sspte: detected sspte permission error (iova=0x380000,"
            + " level=0x2, sspte=0x0, write=1, pasid=0x0)",
        "qemu-system-x86_64: vtd_iommu_translate: detected translation failure (dev=04:00:00,"
            + " iova=0x380000)",
        "qemu-system-x86_64: New fault is not recorded due to compression of faults"
      })
  void expectsWhatARevocationUnderLoadProvokes(String line) {
    assertThat(refused.test(line)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[   32.932205] DMAR: [DMA Write NO_PASID] Request device [0000:03:00.0] fault addr 0x380000"
            + " [fault reason 0x05] PTE Write access is not set",
        "[   32.932205] DMAR: [DMA Write NO_PASID] Request device [0000:04:00.0] fault addr 0x4200000"
            + " [fault reason 0x05] PTE Write access is not set",
        "[   32.932205] DMAR: [DMA Read NO_PASID] Request device [0000:04:00.0] fault addr 0x380000"
            + " [fault reason 0x06] PTE Read access is not set",
        "qemu-system-x86_64: vtd_iova_to_sspte: detected sspte permission error (iova=0x380000,"
            + " level=0x2, sspte=0x0, write=0, pasid=0x0)",
        "[   44.049202] pci 0000:00:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000"
            + " address=0x0 flags=0x0009]",
        "qemu-system-x86_64: vtd_iommu_translate: detected translation failure (dev=03:00:00,"
            + " iova=0x380000)",
        "qemu-system-x86_64: vfio_user_device_io_region_read: timed out waiting for reply",
        "[    1.000000] BUG: unable to handle page fault"
      })
  void expectsNothingElse(String line) {
    assertThat(refused.test(line)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[   32.932205] DMAR: [DMA Read NO_PASID] Request device [0000:04:00.0] fault addr 0x380000"
            + " [fault reason 0x06] PTE Read access is not set",
        "[   32.932205] DMAR: [DMA Write NO_PASID] Request device [0000:04:00.0] fault addr 0x380000"
            + " [fault reason 0x05] PTE Write access is not set",
        "qemu-system-x86_64: vtd_iova_to_sspte: detected sspte permission error (iova=0x380000,"
            + " level=0x2, sspte=0x0, write=0, pasid=0x0)",
        "[   44.049202] pci 0000:00:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000"
            + " address=0x0 flags=0x0009]"
      })
  void expectsReadsWhereAFunctionReads(String line) {
    assertThat(RefusedAccesses.of(DEVICE, IOVA, LENGTH).test(line)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[   32.932205] DMAR: [DMA Read NO_PASID] Request device [0000:03:00.0] fault addr 0x380000"
            + " [fault reason 0x06] PTE Read access is not set",
        "[   32.932205] DMAR: [DMA Read NO_PASID] Request device [0000:04:00.0] fault addr 0x4200000"
            + " [fault reason 0x06] PTE Read access is not set"
      })
  void expectsNoReadsOfOthersOrElsewhere(String line) {
    assertThat(RefusedAccesses.of(DEVICE, IOVA, LENGTH).test(line)).isFalse();
  }
}
