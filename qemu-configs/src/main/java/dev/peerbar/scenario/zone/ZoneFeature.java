package dev.peerbar.scenario.zone;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf;
import dev.peerbar.lab.uapi.VfioDeviceFeatureDmaBuf.VfioRegionDmaRange;
import dev.peerbar.lab.uapi.VfioPciRegion;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.DmaBufControl;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Requirement;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What kernels may know of struct pages for BARs. The function in the first slot is asked. */
enum ZoneFeature implements Requirement {
  /** A DMABUF can be exported with them. */
  PAGES("the kernel's vfio-pci exports no DMABUF with struct pages") {
    @Override
    boolean presentIn(VfioDevice device) throws IOException {
      return hasPages(device);
    }
  },

  /** It cannot. */
  NO_PAGES("the kernel's vfio-pci exports DMABUFs with struct pages") {
    @Override
    boolean presentIn(VfioDevice device) throws IOException {
      return !hasPages(device);
    }
  },

  /** A DMABUF can be revoked for ever. */
  REVOKING("the kernel's vfio-pci has no feature to revoke a DMABUF") {
    @Override
    boolean presentIn(VfioDevice device) throws IOException {
      return DmaBufControl.of(device).revokeFeature().isPresent();
    }
  };

  private static final int FIRST_SLOT = 1;

  private final String reason;

  ZoneFeature(String reason) {
    this.reason = reason;
  }

  abstract boolean presentIn(VfioDevice device) throws IOException;

  @Override
  public Set<KernelNeed> kernelNeeds() {
    return GuestFeature.DMABUF_EXPORT.kernelNeeds();
  }

  @Override
  public Optional<String> missingIn(Lab lab) throws IOException {
    Optional<String> noExport = GuestFeature.DMABUF_EXPORT.missingIn(lab);
    if (noExport.isPresent()) {
      return noExport;
    }
    try (Iommufd iommufd = Iommufd.open(lab.guest());
        VfioDevice device =
            VfioDevice.open(lab.guest().pciInSlot(FIRST_SLOT).bindVfio(), iommufd)) {
      return presentIn(device) ? Optional.empty() : Optional.of(reason);
    }
  }

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
