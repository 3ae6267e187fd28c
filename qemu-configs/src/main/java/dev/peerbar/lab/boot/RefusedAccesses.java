package dev.peerbar.lab.boot;

import dev.peerbar.lab.guest.PciDevice;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lines of the guest's kernel and of QEMU that say that the vIOMMU refused an access of one device
 * to one range. Of QEMU's amd-iommu it is any access of any device, as it tells neither, and of its
 * virtio-iommu any device's.
 *
 * <p>They belong to a revocation under load. The kernel takes the mapping out of the IOMMU's tables
 * first and invalidates afterwards, which is when the device is told; what is on the wire in
 * between meets the IOMMU, here as on hardware, and is reported.
 */
public final class RefusedAccesses implements Predicate<String> {
  /** With which accesses. */
  private static final String REFUSED =
      "DMAR: \\[DMA %s NO_PASID] Request device \\[(?<device>[0-9a-f:.]+)] fault addr"
          + " 0x(?<address>[0-9a-f]+) \\[fault reason 0x0[0-9a-f]]";

  private static final Pattern REFUSED_IN_QEMU =
      Pattern.compile(
          "vtd_iommu_translate: detected translation failure \\(dev=(?<device>[0-9a-f:]+),"
              + " iova=0x(?<address>[0-9a-f]+)\\)");

  /** With whether it is a write. */
  private static final String ENTRY_IN_QEMU =
      "vtd_iova_to_sspte: detected sspte permission error"
          + " \\(iova=0x(?<address>[0-9a-f]+), level=0x[0-9a-f]+, sspte=0x0, write=%s,";

  /** Those of the virtio-iommu name the endpoint, if at all, by a number of their own. */
  private static final Pattern REFUSED_BY_VIRTIO =
      Pattern.compile(
          "(virtio_iommu_translate no mapping for|virtio_iommu virtio\\d+: page fault from EP \\d+ at)"
              + " 0x(?<address>[0-9a-f]+) ");

  /** QEMU's amd-iommu tells of no address, but with which rights it was accessed: 1 is to read. */
  private static final String EVENT_OF_AMD =
      "AMD-Vi: Event logged \\[IO_PAGE_FAULT domain=0x0000 address=0x0 flags=0x000%s]$";

  /** What comes with the lines above and names no address. */
  private static final Pattern ACCOMPANIMENT =
      Pattern.compile(
          "DMAR: DRHD: handling fault status reg [0-9a-f]+$"
              + "|(dmar_fault|amd_iommu_report_page_fault): \\d+ callbacks suppressed$"
              + "|New fault is not recorded due to compression of faults$");

  private final Pattern refused;
  private final Pattern entryInQemu;
  private final Pattern eventOfAmd;
  private final String device;
  private final String deviceInQemu;
  private final long iova;
  private final long length;

  private RefusedAccesses(boolean reads, PciDevice initiator, long iova, long length) {
    refused = Pattern.compile(REFUSED.formatted(reads ? "(Read|Write)" : "Write"));
    eventOfAmd = Pattern.compile(EVENT_OF_AMD.formatted(reads ? "[9a]" : "a"));
    entryInQemu = Pattern.compile(ENTRY_IN_QEMU.formatted(reads ? "[01]" : "1"));
    device = initiator.address();
    // QEMU prints bus, device and function with colons, and knows no domains.
    String[] parts = device.split("[:.]");
    deviceInQemu = "%s:%s:%02x".formatted(parts[1], parts[2], Integer.parseInt(parts[3], 16));
    this.iova = iova;
    this.length = length;
  }

  /**
   * Of writes.
   *
   * @param initiator of the writes
   * @param iova first byte of the range
   * @param length of the range, in bytes
   */
  public static RefusedAccesses writes(PciDevice initiator, long iova, long length) {
    return new RefusedAccesses(false, initiator, iova, length);
  }

  /** Of reads and writes; otherwise as {@link #writes}. */
  public static RefusedAccesses of(PciDevice initiator, long iova, long length) {
    return new RefusedAccesses(true, initiator, iova, length);
  }

  @Override
  public boolean test(String line) {
    return ACCOMPANIMENT.matcher(line).find()
        || eventOfAmd.matcher(line).find()
        || names(refused.matcher(line), device)
        || names(REFUSED_IN_QEMU.matcher(line), deviceInQemu)
        || isInside(entryInQemu.matcher(line))
        || isInside(REFUSED_BY_VIRTIO.matcher(line));
  }

  private boolean names(Matcher line, String initiator) {
    return isInside(line) && line.group("device").equals(initiator);
  }

  private boolean isInside(Matcher line) {
    if (!line.find()) {
      return false;
    }
    long offset = Long.parseUnsignedLong(line.group("address"), 16) - iova;
    return offset >= 0 && offset < length;
  }
}
