package dev.peerbar.devices.ioat;

/**
 * Where things are in BAR 0 and in config space, by the names of Intel's datasheets ("CBDMA
 * registers" of the Xeon E5 and Xeon Scalable families, volume 2), and what their bits mean. The
 * names of Linux (drivers/dma/ioat/registers.h) are given where they differ.
 */
public final class IoatRegisters {
  public static final int VENDOR_ID = 0x8086;
  public static final int DEVICE_ID = 0x2021;

  public static final int BAR = 0;
  public static final long BAR_SIZE = 16 << 10;
  public static final long MSIX_TABLE = 0x2000;
  public static final long MSIX_PENDING = 0x3000;

  // Of the function, from the start of the BAR.

  /** How many channels: 8 bits. */
  public static final long CHANCNT = 0x00;

  /** The logarithm of the longest transfer in bytes: 8 bits. */
  public static final long XFERCAP = 0x01;

  /** 8 bits, without a meaning here. */
  public static final long GENCTRL = 0x02;

  /** What interrupts: 8 bits. */
  public static final long INTRCTRL = 0x03;

  /** Which channels have interrupted, a bit each; reading clears it: 32 bits. */
  public static final long ATTNSTATUS = 0x04;

  /** The version, a digit in four bits each: 8 bits. */
  public static final long CBVER = 0x08;

  /** 16 bits, zero: there are no registers per port. */
  public static final long PERPORT_OFFSET = 0x0a;

  /** How long interrupts are held back, in microseconds: 16 bits. */
  public static final long INTRDELAY = 0x0c;

  /** 16 bits: nothing is degraded or restricted. */
  public static final long CS_STATUS = 0x0e;

  /** What descriptors can ask for: 32 bits. */
  public static final long DMACAPABILITY = 0x10;

  /** 16 bits, zero: there is no direct cache access. */
  public static final long DCAOFFSET = 0x14;

  /** The channels' registers begin behind one such stretch. */
  public static final long CHANNEL_STRIDE = 0x80;

  // Of a channel, from the start of its stretch.

  /** What happens at interrupts and errors: 16 bits. */
  public static final long CHANCTRL = 0x00;

  /** With which versions' descriptors it is compatible (DMA_COMP): 16 bits. */
  public static final long CHANCOMP = 0x02;

  /** 8 bits. */
  public static final long CHANCMD = 0x04;

  /** How many descriptors of the chain are valid, modulo 2^16: 16 bits. */
  public static final long DMACOUNT = 0x06;

  /** The descriptor that was completed last, and the state: 64 bits. */
  public static final long CHANSTS = 0x08;

  /** The first descriptor: 64 bits. */
  public static final long CHAINADDR = 0x10;

  /** Where CHANSTS is written to for those descriptors that ask for it: 64 bits. */
  public static final long CHANCMP = 0x18;

  /** The descriptor that is carried out (CDAR): 64 bits. */
  public static final long CURDESC = 0x20;

  /** What went wrong, cleared by ones: 32 bits. */
  public static final long CHANERR = 0x28;

  /** Which errors are not told of: 32 bits. */
  public static final long CHANERRMSK = 0x2c;

  /** 32 bits, kept and without a meaning here. */
  public static final long DCACTRL = 0x30;

  // In config space.

  /** Uncorrectable errors that belong to no channel, cleared by ones: 32 bits; there are none. */
  public static final int DMAUNCERRSTS = 0x148;

  /** As CHANERR, for all channels together, cleared by ones: 32 bits. */
  public static final int CHANERR_INT = 0x180;

  /** 32 bits, kept. */
  public static final int CHANERRMSK_INT = 0x184;

  // Values.

  /** Version 3.2, the one that Linux takes Skylake's for. */
  public static final int VERSION_3_2 = 0x32;

  /** 1 MiB. */
  public static final int XFERCAP_LOG2 = 20;

  /** Interrupts of all channels go to vector 0 while it is set (MASTER_INT_EN). */
  public static final int INTRCTRL_MASTER = 1;

  /** Read-only: ATTNSTATUS is not zero. */
  public static final int INTRCTRL_STATUS = 1 << 1;

  /** Read-only: both of the above. */
  public static final int INTRCTRL_INTERRUPT = 1 << 2;

  /** Each channel has a vector of its own, whatever the bits above are. */
  public static final int INTRCTRL_VECTOR_CONTROL = 1 << 3;

  /** DMACAPABILITY: descriptors that fill (BFill). */
  public static final int CAP_FILL = 1 << 6;

  /** CHANCOMP: descriptors of version 2 and later. */
  public static final int COMPATIBLE_V2 = 1 << 1;

  /**
   * Set by an interrupt, and no other comes until a one is written (Interrupt Disable; INT_REARM in
   * Linux).
   */
  public static final int CHANCTRL_INTERRUPTED = 1;

  /** An error is written to CHANCMP. */
  public static final int CHANCTRL_ERROR_COMPLETION = 1 << 2;

  /** An error ends what the channel does. It does whether this is set or not. */
  public static final int CHANCTRL_ERROR_ABORT = 1 << 3;

  /** An error interrupts. */
  public static final int CHANCTRL_ERROR_INTERRUPT = 1 << 4;

  public static final int CHANCMD_START = 1;
  public static final int CHANCMD_APPEND = 1 << 1;
  public static final int CHANCMD_SUSPEND = 1 << 2;
  public static final int CHANCMD_ABORT = 1 << 3;
  public static final int CHANCMD_RESUME = 1 << 4;
  public static final int CHANCMD_RESET = 1 << 5;

  /** The bits of CHANSTS that are no address. */
  public static final int CHANSTS_STATE = 7;

  private IoatRegisters() {}

  /** Where the registers of a channel begin. */
  public static long channel(int index) {
    return CHANNEL_STRIDE * (index + 1);
  }
}
