package dev.peerbar.scenario.dmabuf;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.DmaBufControl;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Requirement;
import java.io.IOException;
import java.util.Optional;
import java.util.Set;

/**
 * What kernels may do with DMABUFs of BARs beyond exporting them. No released kernel does; the
 * function in the first slot is asked.
 */
enum MapFeature implements Requirement {
  /** They can be mapped. */
  MAPPING("the kernel's vfio-pci maps no DMABUF") {
    @Override
    boolean presentIn(VfioDevice device) throws IOException {
      return maps(device);
    }
  },

  /** They cannot. */
  NO_MAPPING("the kernel's vfio-pci maps DMABUFs") {
    @Override
    boolean presentIn(VfioDevice device) throws IOException {
      return !maps(device);
    }
  },

  /** Their exporter can revoke them for ever. */
  REVOKING("the kernel's vfio-pci has no feature to revoke a DMABUF") {
    @Override
    boolean presentIn(VfioDevice device) throws IOException {
      return DmaBufControl.of(device).revokeFeature().isPresent();
    }
  },

  /** Their exporter can choose how mappings are cached. */
  ATTRIBUTES("the kernel's vfio-pci has no feature for the attributes of a DMABUF's mappings") {
    @Override
    boolean presentIn(VfioDevice device) throws IOException {
      return DmaBufControl.of(device).attributeFeature().isPresent();
    }
  };

  private static final int FIRST_SLOT = 1;
  private static final long PAGE = 4096;

  private final String reason;

  MapFeature(String reason) {
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

  private static boolean maps(VfioDevice device) throws IOException {
    try (DmaBuf dmaBuf = device.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, PAGE);
        GuestMemory _ = dmaBuf.map()) {
      return true;
    } catch (GuestErrnoException e) {
      if (e.is(Errno.EINVAL)) {
        return false;
      }
      throw e;
    }
  }
}
