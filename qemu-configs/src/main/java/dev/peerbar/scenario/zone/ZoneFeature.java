package dev.peerbar.scenario.zone;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.DmaBufControl;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Requirement;
import dev.peerbar.scenario.fixture.VfioFeature;
import java.io.IOException;
import java.util.List;

/** What kernels may know of struct pages for BARs. */
final class ZoneFeature {
  /** A DMABUF can be exported with them. */
  static final Requirement PAGES =
      new VfioFeature(
          "the kernel's vfio-pci exports no DMABUF with struct pages", ZoneFeature::hasPages);

  /** It cannot. */
  static final Requirement NO_PAGES =
      new VfioFeature(
          "the kernel's vfio-pci exports DMABUFs with struct pages", device -> !hasPages(device));

  /** A DMABUF can be revoked for ever. */
  static final Requirement REVOKING =
      new VfioFeature(
          "the kernel's vfio-pci has no feature to revoke a DMABUF",
          device -> DmaBufControl.of(device).revokeFeature().isPresent());

  private ZoneFeature() {}

  private static boolean hasPages(VfioDevice device) throws IOException {
    try (DmaBuf _ = export(device, List.of(new VfioRegionDmaRange(0, Paged.UNIT)))) {
      return true;
    } catch (GuestErrnoException e) {
      if (e.is(Errno.EINVAL)) {
        return false;
      }
      throw e;
    }
  }

  /** Exports ranges of a function's memory with struct pages. */
  static DmaBuf export(VfioDevice device, List<VfioRegionDmaRange> ranges) throws IOException {
    return device.exportDmabuf(
        new VfioDeviceFeatureDmaBuf(
            VfioPciRegion.bar(HbmRegisters.MEMORY_BAR),
            Paged.O_CLOEXEC_RDWR,
            VfioDeviceFeatureDmaBuf.ZONE_DEVICE,
            ranges));
  }
}
