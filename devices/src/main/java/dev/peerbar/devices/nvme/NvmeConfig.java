package dev.peerbar.devices.nvme;

import dev.peerbar.pci.DoorbellMode;

/**
 * What can be chosen about an NVMe endpoint.
 *
 * @param lbaSize of a logical block in bytes, 512 or 4096
 * @param cmbSize of the Controller Memory Buffer in bytes: 0 for none, or a power of two from 4 KiB
 *     to 64 GiB
 * @param queues pairs of I/O queues, 1 to 64
 * @param shadowDoorbells whether Doorbell Buffer Config is offered: drivers of today use it at once
 * @param serialNumber 1 to 20 printable ASCII characters without spaces around them; subsystem name
 *     and namespace identifiers derive from it, so that no two endpoints of one host may share it
 */
public record NvmeConfig(
    int lbaSize,
    long cmbSize,
    int queues,
    DoorbellMode doorbells,
    boolean shadowDoorbells,
    String serialNumber) {

  public static final int MOST_QUEUES = 64;

  private static final long SMALLEST_CMB = 1L << 12;
  private static final long LARGEST_CMB = 1L << 36;
  private static final int SERIAL_NUMBER_LENGTH = 20;

  /** 512-byte blocks, a CMB of 64 MiB, 16 queues, trapped and shadow doorbells. */
  public static final NvmeConfig DEFAULT =
      new NvmeConfig(512, 64L << 20, 16, DoorbellMode.TRAP, "PB0000000001");

  /**
   * @throws IllegalArgumentException with one sentence that says what is out of range
   */
  public NvmeConfig {
    if (lbaSize != 512 && lbaSize != 4096) {
      throw new IllegalArgumentException(
          "A logical block has 512 or 4096 bytes, not %d.".formatted(lbaSize));
    }
    if (cmbSize != 0
        && (cmbSize < SMALLEST_CMB || cmbSize > LARGEST_CMB || Long.bitCount(cmbSize) != 1)) {
      throw new IllegalArgumentException(
          "The size of the CMB is 0 or a power of two from 4 KiB to 64 GiB, not %d bytes."
              .formatted(cmbSize));
    }
    if (queues < 1 || queues > MOST_QUEUES) {
      throw new IllegalArgumentException(
          "An NVMe endpoint has 1 to 64 pairs of I/O queues, not %d.".formatted(queues));
    }
    if (serialNumber.isEmpty()
        || serialNumber.length() > SERIAL_NUMBER_LENGTH
        || !serialNumber.strip().equals(serialNumber)
        || serialNumber.chars().anyMatch(c -> c < ' ' || c > '~')) {
      throw new IllegalArgumentException(
          "A serial number is 1 to 20 printable ASCII characters, not \"%s\"."
              .formatted(serialNumber));
    }
  }

  /** As {@link #shadowDoorbells(DoorbellMode)} has it. */
  public NvmeConfig(
      int lbaSize, long cmbSize, int queues, DoorbellMode doorbells, String serialNumber) {
    this(lbaSize, cmbSize, queues, doorbells, shadowDoorbells(doorbells), serialNumber);
  }

  /** The same controller under another serial number. */
  public NvmeConfig withSerialNumber(String number) {
    return new NvmeConfig(lbaSize, cmbSize, queues, doorbells, shadowDoorbells, number);
  }

  /**
   * Whether shadow doorbells are offered unless somebody says otherwise: where each doorbell is a
   * message they spare most of them. Whoever maps the page means to ring there.
   */
  public static boolean shadowDoorbells(DoorbellMode doorbells) {
    return doorbells == DoorbellMode.TRAP;
  }

  public int lbaSizeLog2() {
    return Integer.numberOfTrailingZeros(lbaSize);
  }
}
