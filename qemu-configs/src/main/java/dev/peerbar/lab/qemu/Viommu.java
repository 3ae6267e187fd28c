package dev.peerbar.lab.qemu;

import java.util.Optional;

/**
 * The IOMMU that the guest sees.
 *
 * <p>QEMU's amd-iommu is not among them: Linux 7.3 looks for an SMBus or ISA bridge at the function
 * of the IOAPIC that the firmware names, 00:14.0, where a q35 has nothing. It then leaves interrupt
 * remapping off, and vfio refuses devices without it.
 */
public enum Viommu {
  INTEL("intel-iommu", "intel-iommu,caching-mode=on,intremap=on,aw-bits=48"),
  NONE("no-iommu", "");

  private final String label;
  private final String option;

  Viommu(String label, String option) {
    this.label = label;
    this.option = option;
  }

  /** What people call it: words and hyphens. */
  public String label() {
    return label;
  }

  /** The value of {@code -device}. */
  public Optional<String> option() {
    return option.isEmpty() ? Optional.empty() : Optional.of(option);
  }
}
