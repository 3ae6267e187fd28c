package dev.peerbar.lab.qemu;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** The IOMMU that the guest sees. */
public enum Viommu {
  INTEL("intel-iommu", "intel-iommu,caching-mode=on,intremap=on,aw-bits=48", List.of(), ""),

  /**
   * Linux leaves interrupt remapping off, and vfio refuses devices without it, unless there is an
   * SMBus or ISA bridge at the function of the IOAPIC that the firmware names, 00:14.0, as on AMD's
   * own machines. A q35 has nothing there. The kernel reads no more than the class of it, which a
   * disk of QEMU's may choose; with that class no driver of disks by PCI class takes it.
   */
  AMD(
      "amd-iommu",
      "amd-iommu,intremap=on,dma-remap=on,xtsup=on",
      List.of(
          "-blockdev",
          "null-co,node-name=southbridge,size=512",
          "-device",
          "virtio-blk-pci,drive=southbridge,class=0x0c05,bus=pcie.0,addr=14.0"),
      ""),

  /** It isolates no interrupts, so that iommufd and containers take devices only if told to. */
  VIRTIO(
      "virtio-iommu",
      "virtio-iommu-pci,bus=pcie.0,addr=12.0",
      List.of(),
      "iommufd.allow_unsafe_interrupts=1 vfio_iommu_type1.allow_unsafe_interrupts=1"),

  NONE("no-iommu", "", List.of(), "");

  private final String label;
  private final String option;
  private final List<String> arguments;
  private final String kernelArguments;

  Viommu(String label, String option, List<String> arguments, String kernelArguments) {
    this.label = label;
    this.option = option;
    this.arguments = arguments;
    this.kernelArguments = kernelArguments;
  }

  /**
   * The one of a name.
   *
   * @param label as {@link #label}, or {@code none}
   */
  public static Optional<Viommu> named(String label) {
    return label.equals("none")
        ? Optional.of(NONE)
        : Arrays.stream(values()).filter(v -> v.label.equals(label)).findFirst();
  }

  /** All labels, for a list. */
  public static String labels() {
    return Arrays.stream(values()).map(Viommu::label).collect(Collectors.joining(", "));
  }

  /** What people call it: words and hyphens. */
  public String label() {
    return label;
  }

  /** The value of {@code -device}. */
  public Optional<String> option() {
    return option.isEmpty() ? Optional.empty() : Optional.of(option);
  }

  /** What else QEMU is given for it. */
  List<String> arguments() {
    return arguments;
  }

  /** What the kernel's command line has for it; or empty. */
  String kernelArguments() {
    return kernelArguments;
  }
}
