package dev.peerbar.devices.ioat;

import dev.peerbar.endpoint.DmaFaultException;

/**
 * Why a channel halts: a bit of CHANERR. An address that no memory can be at is an error of the
 * address; one that the function may not reach, or that nothing answers at, is an error of the
 * data, which is what a driver can recover from (IOAT_CHANERR_RECOVER_MASK in Linux).
 */
public enum ChannelError {
  /** The source wraps around the end of the address space. */
  SOURCE_ADDRESS(0),
  /** The destination does. */
  DESTINATION_ADDRESS(1),
  /** A descriptor cannot be read. */
  NEXT_ADDRESS(2),
  /** A descriptor links to an address that is no multiple of 64, or to zero. */
  NEXT_ALIGNMENT(3),
  /** CHAINADDR is no multiple of 64, or zero. */
  CHAIN_ADDRESS(4),
  /** CHANCMD has bits that mean nothing, or several at once. */
  COMMAND(5),
  /** The source cannot be read. */
  READ_DATA(8),
  /** The destination cannot be written. */
  WRITE_DATA(9),
  /** A descriptor asks for something that DMACAPABILITY does not have. */
  CONTROL(10),
  /** A transfer of no byte, or of more than XFERCAP says. */
  LENGTH(11),
  /** CHANCMP cannot be written, or is no multiple of 8. */
  COMPLETION_ADDRESS(12),
  /** The endpoint has failed, by a mistake of its own or for want of memory. */
  UNAFFILIATED(15);

  private final int bit;

  ChannelError(int bit) {
    this.bit = bit;
  }

  /** As in CHANERR. */
  public int mask() {
    return 1 << bit;
  }

  static ChannelError of(DmaFaultException fault) {
    return fault.access() == DmaFaultException.Access.WRITE ? WRITE_DATA : READ_DATA;
  }
}
