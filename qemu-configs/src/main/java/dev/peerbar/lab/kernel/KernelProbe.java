package dev.peerbar.lab.kernel;

import dev.peerbar.lab.guest.Guest;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * Tells options by what a running kernel shows of them. Those that show nowhere are taken to be
 * there: what needs them says so when it fails.
 */
final class KernelProbe {
  /** Files and directories that an option brings. */
  private static final Map<String, String> PATHS =
      Map.ofEntries(
          Map.entry("CONFIG_PCIEPORTBUS", "/sys/bus/pci_express"),
          Map.entry("CONFIG_HOTPLUG_PCI_PCIE", "/sys/bus/pci_express/drivers/pciehp"),
          Map.entry("CONFIG_PCIEAER", "/sys/bus/pci_express/drivers/aer"),
          Map.entry("CONFIG_MEMORY_HOTPLUG", "/sys/devices/system/memory/block_size_bytes"),
          Map.entry("CONFIG_TRANSPARENT_HUGEPAGE", "/sys/kernel/mm/transparent_hugepage"),
          Map.entry("CONFIG_PROC_PAGE_MONITOR", "/proc/self/pagemap"),
          Map.entry("CONFIG_IOMMU_SUPPORT", "/sys/class/iommu"),
          Map.entry("CONFIG_IOMMUFD", "/dev/iommu"),
          Map.entry("CONFIG_VFIO", "/sys/class/vfio-dev"),
          Map.entry("CONFIG_VFIO_PCI", "/sys/bus/pci/drivers/vfio-pci"),
          Map.entry("CONFIG_VFIO_CONTAINER", "/dev/vfio/vfio"),
          Map.entry("CONFIG_UDMABUF", "/dev/udmabuf"),
          Map.entry("CONFIG_DMABUF_HEAPS", "/dev/dma_heap"),
          Map.entry("CONFIG_DMABUF_HEAPS_SYSTEM", "/dev/dma_heap/system"),
          Map.entry("CONFIG_BLOCK", "/sys/block"),
          Map.entry("CONFIG_BLK_DEV_NVME", "/sys/bus/pci/drivers/nvme"),
          Map.entry("CONFIG_AIO", "/proc/sys/fs/aio-nr"),
          Map.entry("CONFIG_SYSVIPC", "/proc/sysvipc"),
          Map.entry("CONFIG_DMADEVICES", "/sys/class/dma"),
          Map.entry("CONFIG_INTEL_IOATDMA", "/sys/bus/pci/drivers/ioatdma"),
          Map.entry("CONFIG_DMATEST", "/sys/module/dmatest"),
          Map.entry("CONFIG_NET", "/proc/net"),
          Map.entry("CONFIG_UNIX", "/proc/net/unix"),
          Map.entry("CONFIG_NET_9P_VIRTIO", "/sys/bus/virtio/drivers/9pnet_virtio"),
          Map.entry("CONFIG_VIRTIO_BLK", "/sys/bus/virtio/drivers/virtio_blk"),
          Map.entry("CONFIG_VIRTIO_IOMMU", "/sys/bus/virtio/drivers/virtio_iommu"));

  /** File systems that an option brings. */
  private static final Map<String, String> FILESYSTEMS =
      Map.of(
          "CONFIG_EXT4_FS", "ext4",
          "CONFIG_9P_FS", "9p",
          "CONFIG_HUGETLBFS", "hugetlbfs");

  private static final Map<String, String> CHARACTER_DEVICES =
      Map.of("CONFIG_VFIO_DEVICE_CDEV", "vfio-dev", "CONFIG_VFIO_GROUP", "vfio");

  private static final String SYMBOL_TABLE = "/proc/kallsyms";

  /** Functions that an option brings, for those that bring nothing else. */
  private static final Map<String, String> SYMBOLS =
      Map.of(
          "CONFIG_DMA_SHARED_BUFFER", "dma_buf_export",
          "CONFIG_PCI_P2PDMA", "pci_p2pdma_add_resource",
          "CONFIG_VFIO_PCI_DMABUF", "vfio_pci_core_feature_dma_buf");

  private final Guest guest;

  KernelProbe(Guest guest) {
    this.guest = guest;
  }

  /** The options of which nothing is to be seen. */
  Set<String> missing() throws IOException {
    Set<String> missing = new LinkedHashSet<>();
    for (Map.Entry<String, String> path : PATHS.entrySet()) {
      if (!guest.system().exists(path.getValue())) {
        missing.add(path.getKey());
      }
    }
    addAbsent("/proc/filesystems", FILESYSTEMS, missing);
    addAbsent("/proc/devices", CHARACTER_DEVICES, missing);
    if (guest.system().exists(SYMBOL_TABLE)) {
      for (Map.Entry<String, String> symbol : SYMBOLS.entrySet()) {
        // It is long; a program of the guest's looks through it sooner than this could.
        if (guest.run("/bin/busybox", "grep", "-qw", symbol.getValue(), SYMBOL_TABLE).status()
            != 0) {
          missing.add(symbol.getKey());
        }
      }
    }
    return missing;
  }

  private void addAbsent(String file, Map<String, String> words, Set<String> missing)
      throws IOException {
    Set<String> there =
        Set.of(
            guest
                .system()
                .readText(file)
                .lines()
                .map(l -> l.strip().replaceFirst(".*\\s", ""))
                .distinct()
                .toArray(String[]::new));
    words.forEach((option, word) -> {
      if (!there.contains(word)) {
        missing.add(option);
      }
    });
  }
}
