package dev.peerbar.scenario.dmabuf;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.DmaBufControl;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Requirement;
import dev.peerbar.scenario.fixture.VfioFeature;
import java.io.IOException;

/** What kernels may do with DMABUFs of BARs beyond exporting them. No released kernel does. */
final class MapFeature {
  /** They can be mapped. */
  static final Requirement MAPPING =
      new VfioFeature("the kernel's vfio-pci maps no DMABUF", MapFeature::maps);

  /** They cannot. */
  static final Requirement NO_MAPPING =
      new VfioFeature("the kernel's vfio-pci maps DMABUFs", device -> !maps(device));

  /** Their exporter can revoke them for ever. */
  static final Requirement REVOKING =
      new VfioFeature(
          "the kernel's vfio-pci has no feature to revoke a DMABUF",
          device -> DmaBufControl.of(device).revokeFeature().isPresent());

  /** Their exporter can choose how mappings are cached. */
  static final Requirement ATTRIBUTES =
      new VfioFeature(
          "the kernel's vfio-pci has no feature for the attributes of a DMABUF's mappings",
          device -> DmaBufControl.of(device).attributeFeature().isPresent());

  private static final long PAGE = 4096;

  private MapFeature() {}

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
