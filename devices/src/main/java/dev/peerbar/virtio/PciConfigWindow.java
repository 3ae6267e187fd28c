package dev.peerbar.virtio;

import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigRegister;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.VendorCapability;

/**
 * The window in config space through which the structures can be accessed too (Virtual I/O Device
 * 1.3, 4.1.4.9). Any access that touches a byte of pci_cfg_data is one access of the BAR, of the
 * width that cap.length tells; an access that no driver may make is none. For the function's
 * thread.
 */
final class PciConfigWindow {
  private static final int DATA_BYTES = 4;
  private static final long ALL = 0xffff_ffffL;

  /** Accesses of the BAR. */
  interface Target {
    long read(long offset, AccessWidth width);

    void write(long offset, AccessWidth width, long value);
  }

  private final Target target;
  private long data;
  private PciFunction function;
  private int at;

  PciConfigWindow(Target target) {
    this.target = target;
  }

  VendorCapability capability() {
    return VendorCapability.standard(
        VirtioPci.CAP_LONGER_BYTES,
        ConfigRegister.at(VirtioPci.CAP_CFG_TYPE, 1).initial(VirtioStructure.PCI.code()),
        ConfigRegister.at(VirtioPci.CAP_BAR, 1).writable(0xff),
        ConfigRegister.at(VirtioPci.CAP_OFFSET, 4).writable(ALL),
        ConfigRegister.at(VirtioPci.CAP_LENGTH, 4).writable(ALL),
        ConfigRegister.at(VirtioPci.CAP_PCI_CFG_DATA, DATA_BYTES)
            .onRead(this::read)
            .onWrite(this::write));
  }

  /**
   * Learns what it has become a part of.
   *
   * @param offset of the capability
   */
  void in(PciFunction newFunction, int offset) {
    function = newFunction;
    at = offset;
  }

  private long read() {
    AccessWidth width = width();
    if (width != null) {
      data = data & ~mask(width) | target.read(offset(), width) & mask(width);
    }
    return data;
  }

  private void write(long value, long mask) {
    data = data & ~mask | value;
    AccessWidth width = width();
    if (width != null) {
      target.write(offset(), width, data & mask(width));
    }
  }

  private long offset() {
    return function.config(at + VirtioPci.CAP_OFFSET, 4);
  }

  /** Of the access that the fields tell, or null if there is none such. */
  private AccessWidth width() {
    if (function.config(at + VirtioPci.CAP_BAR, 1) != VirtioPci.BAR) {
      return null;
    }
    AccessWidth width =
        switch ((int) function.config(at + VirtioPci.CAP_LENGTH, 4)) {
          case 1 -> AccessWidth.BYTE;
          case 2 -> AccessWidth.WORD;
          case 4 -> AccessWidth.DWORD;
          default -> null;
        };
    boolean possible =
        width != null
            && offset() % width.bytes() == 0
            && offset() <= VirtioPci.BAR_BYTES - width.bytes();
    return possible ? width : null;
  }

  private static long mask(AccessWidth width) {
    return ALL >>> Integer.SIZE - width.bytes() * Byte.SIZE;
  }

  void reset() {
    data = 0;
  }
}
