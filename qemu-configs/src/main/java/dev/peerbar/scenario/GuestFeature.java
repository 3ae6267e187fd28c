package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioDevice;
import java.io.IOException;
import java.util.Optional;

/**
 * What kernels, and the machines under them, may lack. Each is looked for by what it does, so that
 * it does not matter how a kernel was configured or patched.
 */
public enum GuestFeature implements Requirement {
  /** Drivers in user space. */
  VFIO_PCI("the kernel has no vfio-pci (CONFIG_VFIO_PCI)") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      return system(lab).exists("/sys/bus/pci/drivers/vfio-pci");
    }
  },

  /** I/O address spaces of user space. */
  IOMMUFD("the kernel has no iommufd (CONFIG_IOMMUFD)") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      return system(lab).exists("/dev/iommu");
    }
  },

  /** The character device of each function that is bound to vfio-pci. */
  VFIO_CDEV("the kernel's vfio has no character devices (CONFIG_VFIO_DEVICE_CDEV)") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      PciDevice device = lab.guest().pciInSlot(FIRST_SLOT).bindVfio();
      return system(lab).exists(device.attribute("vfio-dev"));
    }
  },

  /** VFIO_DEVICE_FEATURE_DMA_BUF. */
  DMABUF_EXPORT(
      "the kernel's vfio-pci exports no DMABUF (CONFIG_VFIO_PCI_DMABUF, CONFIG_PCI_P2PDMA)") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      try (Iommufd iommufd = Iommufd.open(lab.guest());
          VfioDevice device =
              VfioDevice.open(lab.guest().pciInSlot(FIRST_SLOT).bindVfio(), iommufd)) {
        return device.exportsDmabufs();
      }
    }
  },

  /** An IOMMU that the guest's kernel uses. */
  VIOMMU("the guest has no IOMMU") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      return !system(lab).list("/sys/class/iommu").isEmpty();
    }
  },

  /** What is open, mapped or bound there, for people and checks. */
  DEBUGFS("the kernel has no debugfs (CONFIG_DEBUG_FS)") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      return system(lab).exists("/sys/kernel/debug/dma_buf");
    }
  };

  private static final int FIRST_SLOT = 1;

  private final String reason;

  GuestFeature(String reason) {
    this.reason = reason;
  }

  abstract boolean presentIn(Lab lab) throws IOException;

  @Override
  public Optional<String> missingIn(Lab lab) throws IOException {
    try {
      return presentIn(lab) ? Optional.empty() : Optional.of(reason);
    } catch (GuestErrnoException e) {
      return Optional.of("%s; looking for it: %s".formatted(reason, e.getMessage()));
    }
  }

  private static GuestSystem system(Lab lab) {
    return lab.guest().system();
  }
}
