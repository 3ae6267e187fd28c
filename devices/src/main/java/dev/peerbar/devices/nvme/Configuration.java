package dev.peerbar.devices.nvme;

import java.util.Optional;

/**
 * The CC register (NVMe 1.4 3.1.5), as it was written.
 *
 * @param value 32 bits
 */
record Configuration(int value) {
  private static final int DEFINED =
      NvmeRegisters.CC_EN
          | NvmeRegisters.CC_CSS_MASK << NvmeRegisters.CC_CSS_SHIFT
          | NvmeRegisters.CC_MPS_MASK << NvmeRegisters.CC_MPS_SHIFT
          | NvmeRegisters.CC_AMS_MASK << NvmeRegisters.CC_AMS_SHIFT
          | NvmeRegisters.CC_SHN_MASK << NvmeRegisters.CC_SHN_SHIFT
          | NvmeRegisters.CC_IOSQES_MASK << NvmeRegisters.CC_IOSQES_SHIFT
          | NvmeRegisters.CC_IOCQES_MASK << NvmeRegisters.CC_IOCQES_SHIFT;

  /** What a host may change while the controller is enabled. */
  private static final int CHANGEABLE =
      NvmeRegisters.CC_SHN_MASK << NvmeRegisters.CC_SHN_SHIFT
          | NvmeRegisters.CC_IOSQES_MASK << NvmeRegisters.CC_IOSQES_SHIFT
          | NvmeRegisters.CC_IOCQES_MASK << NvmeRegisters.CC_IOCQES_SHIFT;

  private static final int SMALLEST_PAGE_LOG2 = 12;

  /** CAP.MPSMAX: pages of 64 KiB. */
  static final long MOST_MPS = 4;

  private static final int CSS_NVM = 0;
  private static final int AMS_ROUND_ROBIN = 0;
  private static final int AMS_WEIGHTED = 1;

  static final Configuration RESET = new Configuration(0);

  /** What a write makes of it: an enabled controller keeps what may not change. */
  Configuration write(int written) {
    Configuration wanted = new Configuration(written & DEFINED);
    return enabled() && wanted.enabled()
        ? new Configuration(value & ~CHANGEABLE | written & CHANGEABLE)
        : wanted;
  }

  private int field(int shift, int mask) {
    return value >>> shift & mask;
  }

  boolean enabled() {
    return (value & NvmeRegisters.CC_EN) != 0;
  }

  /** CC.SHN is set, to whichever kind of shutdown. */
  boolean shutdownNotified() {
    return field(NvmeRegisters.CC_SHN_SHIFT, NvmeRegisters.CC_SHN_MASK) != 0;
  }

  /** In bytes. */
  int pageSize() {
    return 1 << SMALLEST_PAGE_LOG2 + field(NvmeRegisters.CC_MPS_SHIFT, NvmeRegisters.CC_MPS_MASK);
  }

  boolean weighted() {
    return field(NvmeRegisters.CC_AMS_SHIFT, NvmeRegisters.CC_AMS_MASK) == AMS_WEIGHTED;
  }

  /** Whether queue entries have the sizes that I/O queues need. */
  boolean entrySizesSet() {
    return iosqes() == NvmeRegisters.IOSQES && iocqes() == NvmeRegisters.IOCQES;
  }

  private int iosqes() {
    return field(NvmeRegisters.CC_IOSQES_SHIFT, NvmeRegisters.CC_IOSQES_MASK);
  }

  private int iocqes() {
    return field(NvmeRegisters.CC_IOCQES_SHIFT, NvmeRegisters.CC_IOCQES_MASK);
  }

  /**
   * What keeps a controller from being enabled like this, if anything does. Entry sizes may still
   * be zero: they are for I/O queues, which come later.
   */
  Optional<String> mistake() {
    if (field(NvmeRegisters.CC_CSS_SHIFT, NvmeRegisters.CC_CSS_MASK) != CSS_NVM) {
      return Optional.of("CC.CSS is not the NVM command set");
    }
    if (field(NvmeRegisters.CC_MPS_SHIFT, NvmeRegisters.CC_MPS_MASK) > MOST_MPS) {
      return Optional.of("CC.MPS is above CAP.MPSMAX");
    }
    int arbitration = field(NvmeRegisters.CC_AMS_SHIFT, NvmeRegisters.CC_AMS_MASK);
    if (arbitration != AMS_ROUND_ROBIN && arbitration != AMS_WEIGHTED) {
      return Optional.of("CC.AMS is no mechanism of CAP.AMS");
    }
    if (iosqes() != 0 && iosqes() != NvmeRegisters.IOSQES
        || iocqes() != 0 && iocqes() != NvmeRegisters.IOCQES) {
      return Optional.of("CC.IOSQES is not 6, or CC.IOCQES not 4");
    }
    return Optional.empty();
  }
}
