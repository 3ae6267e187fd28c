package dev.peerbar.devices.nvme.admin;

import dev.peerbar.devices.nvme.NvmeRegisters;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** The Identify Controller data structure (NVMe 1.4 figure 247). */
final class IdentifyController {
  static final int CONTROLLER_ID = 0;

  /** MDTS: the most data of a command, as a power of two of the smallest page. */
  private static final int MDTS = 7;

  /** The most data of a command, in bytes. */
  static final long MOST_TRANSFER = 4096L << MDTS;

  // Offsets in bytes.
  private static final int VID = 0;
  private static final int SSVID = 2;
  private static final int SN = 4;
  private static final int SN_LENGTH = 20;
  private static final int MN = 24;
  private static final int MN_LENGTH = 40;
  private static final int FR = 64;
  private static final int IEEE = 73;
  private static final int MDTS_FIELD = 77;
  private static final int CNTLID = 78;
  private static final int VER = 80;
  private static final int RTD3R = 84;
  private static final int RTD3E = 88;
  private static final int OAES = 92;
  private static final int CNTRLTYPE = 111;
  private static final int OACS = 256;
  private static final int ACL = 258;
  private static final int AERL = 259;
  private static final int FRMW = 260;
  private static final int LPA = 261;
  private static final int ELPE = 262;
  private static final int WCTEMP = 266;
  private static final int CCTEMP = 268;
  private static final int SQES = 512;
  private static final int CQES = 513;
  private static final int NN = 516;
  private static final int ONCS = 520;
  private static final int VWC = 525;
  private static final int SGLS = 536;
  private static final int SUBNQN = 768;

  /** How long waking up, or a shutdown with all it has to flush, may take, in microseconds. */
  private static final long TRANSITION = TimeUnit.SECONDS.toMicros(30);

  /** Namespace attribute notices: drivers that find no event offered never ask for one. */
  static final int OAES_NAMESPACE_ATTRIBUTES = 1 << 8;

  private static final int IO_CONTROLLER = 1;
  private static final int OACS_DOORBELL_BUFFER_CONFIG = 1 << 8;

  /** One slot, which is read-only. */
  private static final int FRMW_ONE_READ_ONLY_SLOT = 1 << 1 | 1;

  private static final int LPA_EFFECTS = 1 << 1;
  private static final int LPA_EXTENDED = 1 << 2;

  private static final int ONCS_COMPARE = 1;
  private static final int ONCS_DATASET_MANAGEMENT = 1 << 2;
  private static final int ONCS_WRITE_ZEROES = 1 << 3;
  private static final int ONCS_SAVE_AND_SELECT = 1 << 4;
  private static final int ONCS_TIMESTAMP = 1 << 6;
  private static final int ONCS_VERIFY = 1 << 7;

  /** There is a volatile write cache, and Flush takes NSID FFFFFFFFh. */
  private static final int VWC_PRESENT_FLUSH_ALL = 0b11 << 1 | 1;

  /** SGLs of any alignment, exactly as long as the data (bit 18 clear). */
  private static final int SGLS_SUPPORTED = 0b01;

  private static final int SGLS_BIT_BUCKET = 1 << 16;

  private IdentifyController() {}

  /**
   * @param shadowDoorbells whether Doorbell Buffer Config is offered. It is not while interrupts go
   *     by the pin, which is asserted until the host reaches the device: a head that moves in the
   *     shadow alone does not.
   */
  static byte[] page(Identity identity, boolean shadowDoorbells) {
    int sqes = NvmeRegisters.IOSQES << 4 | NvmeRegisters.IOSQES;
    int cqes = NvmeRegisters.IOCQES << 4 | NvmeRegisters.IOCQES;
    return new Page(Identify.BYTES)
        .put16(VID, Identity.VENDOR_ID)
        .put16(SSVID, Identity.VENDOR_ID)
        .text(SN, SN_LENGTH, identity.serialNumber())
        .text(MN, MN_LENGTH, Identity.MODEL)
        .text(FR, Identity.FIRMWARE_BYTES, identity.firmware())
        // The lowest byte of the OUI comes first here.
        .put8(IEEE, Identity.OUI[2])
        .put8(IEEE + 1, Identity.OUI[1])
        .put8(IEEE + 2, Identity.OUI[0])
        .put8(MDTS_FIELD, MDTS)
        .put16(CNTLID, CONTROLLER_ID)
        .put32(VER, NvmeRegisters.VS_1_4)
        .put32(RTD3R, TRANSITION)
        .put32(RTD3E, TRANSITION)
        .put32(OAES, OAES_NAMESPACE_ATTRIBUTES)
        .put8(CNTRLTYPE, IO_CONTROLLER)
        .put16(OACS, shadowDoorbells ? OACS_DOORBELL_BUFFER_CONFIG : 0)
        .put8(ACL, QueueCommands.MOST_ABORTS - 1)
        .put8(AERL, AsyncEvents.MOST_REQUESTS - 1)
        .put8(FRMW, FRMW_ONE_READ_ONLY_SLOT)
        .put8(LPA, LPA_EFFECTS | LPA_EXTENDED)
        .put8(ELPE, ErrorLog.ENTRIES - 1)
        .put16(WCTEMP, SmartLog.WARNING_TEMPERATURE)
        .put16(CCTEMP, SmartLog.CRITICAL_TEMPERATURE)
        .put8(SQES, sqes)
        .put8(CQES, cqes)
        .put32(NN, 1)
        .put16(
            ONCS,
            ONCS_COMPARE
                | ONCS_DATASET_MANAGEMENT
                | ONCS_WRITE_ZEROES
                | ONCS_SAVE_AND_SELECT
                | ONCS_TIMESTAMP
                | ONCS_VERIFY)
        .put8(VWC, VWC_PRESENT_FLUSH_ALL)
        .put32(SGLS, SGLS_SUPPORTED | SGLS_BIT_BUCKET)
        .put(SUBNQN, identity.subsystemName().getBytes(StandardCharsets.US_ASCII))
        .bytes();
  }
}
