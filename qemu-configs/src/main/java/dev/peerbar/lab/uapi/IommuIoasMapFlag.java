package dev.peerbar.lab.uapi;

import java.util.Set;

/** {@code enum iommufd_ioas_map_flags}. */
public enum IommuIoasMapFlag {
  /** The caller chooses the IOVA; without it the kernel does. */
  FIXED_IOVA(1),
  /** Devices may write. */
  WRITEABLE(1 << 1),
  /** Devices may read. */
  READABLE(1 << 2);

  private final int bit;

  IommuIoasMapFlag(int bit) {
    this.bit = bit;
  }

  static int mask(Set<IommuIoasMapFlag> flags) {
    return flags.stream().mapToInt(f -> f.bit).sum();
  }
}
