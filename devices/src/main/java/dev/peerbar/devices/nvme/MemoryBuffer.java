package dev.peerbar.devices.nvme;

import dev.peerbar.devices.nvme.queue.ControllerMemory;
import dev.peerbar.endpoint.RegisterMap;

/**
 * The registers of the Controller Memory Buffer (NVMe 1.4 3.1.11, 3.1.12, 3.1.16, 3.1.17). Where it
 * is and how large shows once the host has set CMBMSC.CRE, so that a host of an older version of
 * the specification leaves it alone. For the function's thread.
 */
final class MemoryBuffer {
  private static final long SMALLEST_UNIT = 1L << 12;
  private static final int UNIT_STEP_LOG2 = 4;
  private static final long MOST_UNITS = (1L << 20) - 1;

  private final long size;
  private final ControllerMemory memory;
  private long control;
  private boolean invalidBase;

  /**
   * @param size in bytes; 0 if there is none, and all registers read as zero
   */
  MemoryBuffer(long size, ControllerMemory memory) {
    this.size = size;
    this.memory = memory;
  }

  void declare(RegisterMap registers) {
    registers
        .readOnly(NvmeRegisters.CMBLOC, "CMBLOC", 4, this::location)
        .readOnly(NvmeRegisters.CMBSZ, "CMBSZ", 4, this::sizeRegister)
        .readWrite(NvmeRegisters.CMBMSC, "CMBMSC", 8, () -> control, this::write)
        .readOnly(
            NvmeRegisters.CMBSTS, "CMBSTS", 4, () -> invalidBase ? NvmeRegisters.CMBSTS_CBAI : 0)
        // Nothing is buffered on its way to the CMB, and no throughput promised.
        .readOnly(NvmeRegisters.CMBEBS, "CMBEBS", 4, () -> 0)
        .readOnly(NvmeRegisters.CMBSWTP, "CMBSWTP", 4, () -> 0);
  }

  /** A reset of the whole device. */
  void reset() {
    write(0);
  }

  private boolean registersEnabled() {
    return (control & NvmeRegisters.CMBMSC_CRE) != 0;
  }

  private long location() {
    // At offset 0 of the BAR. A queue lies wholly in it or wholly outside; data may be mixed.
    return registersEnabled()
        ? NvmeRegisters.CMB_BAR | NvmeRegisters.CMBLOC_CDPMLS | NvmeRegisters.CMBLOC_CDPCILS
        : 0;
  }

  private long sizeRegister() {
    if (!registersEnabled()) {
      return 0;
    }
    int unit = 0;
    long units = size / SMALLEST_UNIT;
    while (units > MOST_UNITS) {
      unit++;
      units >>>= UNIT_STEP_LOG2;
    }
    return NvmeRegisters.CMBSZ_SQS
        | NvmeRegisters.CMBSZ_LISTS
        | NvmeRegisters.CMBSZ_RDS
        | NvmeRegisters.CMBSZ_WDS
        | (long) unit << NvmeRegisters.CMBSZ_SZU_SHIFT
        | units << NvmeRegisters.CMBSZ_SZ_SHIFT;
  }

  private void write(long value) {
    if (size == 0) {
      return;
    }
    control =
        value
            & (NvmeRegisters.CMBMSC_CRE
                | NvmeRegisters.CMBMSC_CMSE
                | NvmeRegisters.CMBMSC_CBA_MASK);
    long base = control & NvmeRegisters.CMBMSC_CBA_MASK;
    boolean wanted = registersEnabled() && (control & NvmeRegisters.CMBMSC_CMSE) != 0;
    invalidBase = wanted && Long.compareUnsigned(base + size - 1, base) < 0;
    if (wanted && !invalidBase) {
      memory.open(base);
    } else {
      memory.close();
    }
  }
}
