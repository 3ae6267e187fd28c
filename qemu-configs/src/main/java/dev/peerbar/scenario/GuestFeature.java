package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestErrnoException;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.VfioAccess;
import dev.peerbar.lab.vfio.VfioContainer;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What kernels, and the machines under them, may lack: looked for by the options that it takes, so
 * that these can be named, and by what it does, since kernels are patched.
 */
public enum GuestFeature implements Requirement {
  /** Drivers in user space: vfio-pci, by iommufd or by containers. */
  VFIO(
      Set.of(KernelNeed.IOMMU, KernelNeed.VFIO),
      "the guest has no IOMMU, and vfio-pci takes nothing without") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      return !lab.guest().iommus().isEmpty();
    }
  },

  /** vfio-pci's character devices, and iommufd. */
  IOMMUFD(Set.of(KernelNeed.IOMMUFD), "the kernel has no iommufd") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      return lab.guest().system().exists(VfioAccess.IOMMU);
    }
  },

  /** Containers of vfio's groups, which take memory by its address in a program. */
  CONTAINERS(
      Set.of(),
      "the kernel's vfio has no containers of type 1 (CONFIG_VFIO_CONTAINER,"
          + " CONFIG_VFIO_IOMMU_TYPE1)") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      if (!lab.guest().system().exists(VfioContainer.PATH)) {
        return false;
      }
      try (VfioContainer container = VfioContainer.open(lab.guest())) {
        return container.has(VfioContainer.Type.TYPE1V2);
      }
    }
  },

  /** BARs as DMABUFs (VFIO_DEVICE_FEATURE_DMA_BUF). The function in the first slot is asked. */
  DMABUF_EXPORT(
      Set.of(KernelNeed.DMABUF, KernelNeed.P2PDMA), "the kernel's vfio-pci exports no DMABUF") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      Guest guest = lab.guest();
      try (VfioAccess access = VfioAccess.of(guest);
          GuestDevice device = access.open(guest, guest.pciInSlot(FIRST_SLOT).bindVfio())) {
        return device.vfio().exportsDmabufs();
      }
    }
  },

  /** Functions reach the BARs of others that their IOMMU maps. */
  PEER_BARS(Set.of(), "QEMU's virtio-iommu shows no function the BARs of others") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      return !hasVirtioIommu(lab);
    }
  },

  /** BARs as DMABUFs that an IOAS takes, where other functions reach them. */
  DMABUF_IMPORT(Set.of(), "") {
    @Override
    public Set<KernelNeed> kernelNeeds() {
      return EnumSet.of(KernelNeed.DMABUF, KernelNeed.P2PDMA, KernelNeed.IOMMUFD);
    }

    @Override
    public Optional<String> missingIn(Lab lab) throws IOException {
      for (GuestFeature feature : List.of(IOMMUFD, DMABUF_EXPORT, PEER_BARS)) {
        Optional<String> missing = feature.missingIn(lab);
        if (missing.isPresent()) {
          return missing;
        }
      }
      return Optional.empty();
    }
  },

  /**
   * BARs of functions that have a driver, mapped by programs all the same. The function in the
   * first slot is asked.
   */
  BARS_OF_DRIVERS(
      Set.of(), "the kernel keeps BARs of its drivers to itself (CONFIG_IO_STRICT_DEVMEM)") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      GuestSystem system = lab.guest().system();
      int fd = system.open(lab.guest().pciInSlot(FIRST_SLOT).attribute("resource0"));
      try {
        long page = lab.guest().agent().pageSize();
        long address = system.mmap(page, Protection.READ, EnumSet.of(MapFlag.SHARED), fd, 0);
        system.munmap(address, page);
        return true;
      } finally {
        system.close(fd);
      }
    }
  },

  /** DMABUFs of the kernel's own memory: of its system heap, and of memfds. */
  OTHER_DMABUFS(Set.of(KernelNeed.EXPORTERS), "the kernel has no system heap or no udmabuf") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      GuestSystem system = lab.guest().system();
      return system.exists("/dev/dma_heap/system") && system.exists("/dev/udmabuf");
    }
  },

  /** The kernel's own driver of I/OAT engines, and its tester of such engines. */
  DMAENGINE(Set.of(KernelNeed.DMAENGINE), ""),

  /** The kernel's own driver of virtio GPUs. */
  GPU(Set.of(KernelNeed.GPU), ""),

  /** The kernel's own driver of NVMe controllers. */
  NVME(Set.of(KernelNeed.NVME), ""),

  /** The distribution's programs. */
  USERLAND(Set.of(KernelNeed.USERLAND), ""),

  /** File systems on disks, and what programs take that work on them. */
  FILES(Set.of(KernelNeed.FILES), ""),

  /**
   * Memory of an NVMe controller that its driver lends to others. That in the first slot is asked.
   */
  PEER_MEMORY(Set.of(KernelNeed.P2PDMA), "the kernel's nvme driver lends no memory") {
    @Override
    boolean presentIn(Lab lab) throws IOException {
      PciDevice device = lab.guest().pciInSlot(FIRST_SLOT);
      return lab.guest().system().exists(device.peerMemory("allocate"));
    }
  };

  private static final int FIRST_SLOT = 1;

  private final Set<KernelNeed> kernelNeeds;
  private final String otherReason;

  GuestFeature(Set<KernelNeed> kernelNeeds, String otherReason) {
    this.kernelNeeds = kernelNeeds;
    this.otherReason = otherReason;
  }

  /** The kernel calls it as its function; other IOMMUs are not functions. */
  private static boolean hasVirtioIommu(Lab lab) throws IOException {
    return lab.guest().iommus().stream().anyMatch(name -> name.contains(":"));
  }

  /** Whether it is there, if the kernel has the options. */
  boolean presentIn(Lab lab) throws IOException {
    return true;
  }

  @Override
  public Set<KernelNeed> kernelNeeds() {
    return kernelNeeds;
  }

  @Override
  public Optional<String> missingIn(Lab lab) throws IOException {
    List<String> options = lab.kernelOptions().missing(kernelNeeds);
    if (!options.isEmpty()) {
      return Optional.of(lab.kernelOptions().clause(options));
    }
    try {
      return presentIn(lab) ? Optional.empty() : Optional.of(otherReason);
    } catch (GuestErrnoException e) {
      return Optional.of("%s (%s)".formatted(otherReason, e.getMessage()));
    }
  }
}
