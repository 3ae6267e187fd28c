package dev.peerbar.devices.nvme.queue;

/** The class of a submission queue in weighted round robin arbitration (NVMe 1.4 4.13.2). */
public enum Priority {
  URGENT,
  HIGH,
  MEDIUM,
  LOW;

  private static final Priority[] BY_CODE = values();
  private static final int MASK = 0x3;

  /**
   * @param qprio the 2 bits of Create I/O Submission Queue (NVMe 1.4 figure 155); others are not
   *     looked at
   */
  public static Priority of(int qprio) {
    return BY_CODE[qprio & MASK];
  }
}
