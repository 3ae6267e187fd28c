package dev.peerbar.devices.nvme;

/**
 * Where things are in the BARs and in the registers (NVMe 1.4 3.1): for the endpoint and for those
 * who drive one. The register map in docs/nvme.md has the same names.
 */
public final class NvmeRegisters {
  public static final int BAR = 0;
  public static final long BAR_SIZE = 16 << 10;

  public static final int CMB_BAR = 2;

  public static final int MSIX_BAR = 4;
  public static final long MSIX_BAR_SIZE = 8 << 10;
  public static final long MSIX_TABLE = 0;
  public static final long MSIX_PENDING = 0x1000;

  // Offsets in BAR 0.
  public static final long CAP = 0x00;
  public static final long VS = 0x08;
  public static final long INTMS = 0x0c;
  public static final long INTMC = 0x10;
  public static final long CC = 0x14;
  public static final long CSTS = 0x1c;
  public static final long NSSR = 0x20;
  public static final long AQA = 0x24;
  public static final long ASQ = 0x28;
  public static final long ACQ = 0x30;
  public static final long CMBLOC = 0x38;
  public static final long CMBSZ = 0x3c;
  public static final long BPINFO = 0x40;
  public static final long BPRSEL = 0x44;
  public static final long BPMBL = 0x48;
  public static final long CMBMSC = 0x50;
  public static final long CMBSTS = 0x58;
  public static final long CMBEBS = 0x5c;
  public static final long CMBSWTP = 0x60;
  public static final long PMRCAP = 0xe00;
  public static final long PMRCTL = 0xe04;
  public static final long PMRSTS = 0xe08;
  public static final long PMREBS = 0xe0c;
  public static final long PMRSWTP = 0xe10;
  public static final long PMRMSC = 0xe14;

  /** Of later versions of the specification; reserved, and read by tools all the same. */
  static final long NSSD = 0x64;

  static final long CRTO = 0x68;

  public static final long DOORBELLS = 0x1000;
  public static final long DOORBELLS_LENGTH = 0x1000;
  public static final int DOORBELL_STRIDE = 4;

  // CAP (3.1.1).
  public static final long CAP_MQES_MASK = 0xffff;
  public static final long CAP_CQR = 1L << 16;
  public static final long CAP_AMS_WEIGHTED = 1L << 17;
  public static final int CAP_TO_SHIFT = 24;
  public static final long CAP_CSS_NVM = 1L << 37;
  public static final int CAP_MPSMIN_SHIFT = 48;
  public static final int CAP_MPSMAX_SHIFT = 52;
  public static final long CAP_CMBS = 1L << 57;

  public static final long VS_1_4 = 0x0001_0400;

  // CC (3.1.5).
  /** The size of submission entries, as a power of two. */
  public static final int IOSQES = 6;

  /** The size of completion entries, as a power of two. */
  public static final int IOCQES = 4;

  public static final int CC_EN = 1;
  public static final int CC_CSS_SHIFT = 4;
  public static final int CC_CSS_MASK = 0x7;
  public static final int CC_MPS_SHIFT = 7;
  public static final int CC_MPS_MASK = 0xf;
  public static final int CC_AMS_SHIFT = 11;
  public static final int CC_AMS_MASK = 0x7;
  public static final int CC_SHN_SHIFT = 14;
  public static final int CC_SHN_MASK = 0x3;
  public static final int CC_IOSQES_SHIFT = 16;
  public static final int CC_IOSQES_MASK = 0xf;
  public static final int CC_IOCQES_SHIFT = 20;
  public static final int CC_IOCQES_MASK = 0xf;

  // CSTS (3.1.6).
  public static final int CSTS_RDY = 1;
  public static final int CSTS_CFS = 1 << 1;
  public static final int CSTS_SHST_SHIFT = 2;
  public static final int CSTS_SHST_MASK = 0x3;
  public static final int CSTS_SHST_NORMAL = 0;
  public static final int CSTS_SHST_OCCURRING = 1;
  public static final int CSTS_SHST_COMPLETE = 2;
  public static final int CSTS_NSSRO = 1 << 4;
  public static final int CSTS_PP = 1 << 5;

  // AQA (3.1.8): 0's based numbers of entries.
  public static final int AQA_ASQS_MASK = 0xfff;
  public static final int AQA_ACQS_SHIFT = 16;
  public static final int AQA_ACQS_MASK = 0xfff;

  /** Of ASQ and ACQ (3.1.9, 3.1.10); the rest is reserved. */
  public static final long QUEUE_BASE_MASK = -1L << 12;

  // CMBLOC (3.1.11), CMBSZ (3.1.12), CMBMSC (3.1.16), CMBSTS (3.1.17).
  public static final int CMBLOC_BIR_MASK = 0x7;
  public static final int CMBLOC_CDPMLS = 1 << 5;
  public static final int CMBLOC_CDPCILS = 1 << 6;
  public static final int CMBSZ_SQS = 1;
  public static final int CMBSZ_CQS = 1 << 1;
  public static final int CMBSZ_LISTS = 1 << 2;
  public static final int CMBSZ_RDS = 1 << 3;
  public static final int CMBSZ_WDS = 1 << 4;
  public static final int CMBSZ_SZU_SHIFT = 8;
  public static final int CMBSZ_SZU_MASK = 0xf;
  public static final int CMBSZ_SZ_SHIFT = 12;
  public static final long CMBMSC_CRE = 1;
  public static final long CMBMSC_CMSE = 1L << 1;
  public static final long CMBMSC_CBA_MASK = -1L << 12;
  public static final int CMBSTS_CBAI = 1;

  private NvmeRegisters() {}

  /** Offset of a doorbell, counting them all: tail 0, head 0, tail 1 and so on. */
  public static long doorbell(int index) {
    return DOORBELLS + (long) index * DOORBELL_STRIDE;
  }

  /** Offset of a submission queue's tail doorbell (3.1.24). */
  public static long submissionDoorbell(int queue) {
    return doorbell(2 * queue);
  }

  /** Offset of a completion queue's head doorbell (3.1.25). */
  public static long completionDoorbell(int queue) {
    return doorbell(2 * queue + 1);
  }
}
