package dev.peerbar.lab.kernel;

import java.util.Locale;

/**
 * What a kernel may be needed for: the groups of options in {@code kernel/p2p.config}, which says
 * what is in each.
 */
public enum KernelNeed {
  /** Coming up and talking to the host. */
  BOOT,
  PORTS,
  P2PDMA,
  HUGE,
  IOMMU,
  VIOMMUS,
  VFIO,
  IOMMUFD,
  TYPE1,
  DMABUF,
  EXPORTERS,
  NVME,
  FILES,
  DMAENGINE,
  GPU,
  USERLAND,
  VIRTIO_DISK;

  /** As the headings of the file write it. */
  String heading() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
