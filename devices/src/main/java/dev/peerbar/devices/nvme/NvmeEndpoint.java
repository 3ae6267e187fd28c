package dev.peerbar.devices.nvme;

import dev.peerbar.devices.nvme.admin.Identity;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.RegisterMap;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.PciFunctionBuilder;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.storage.Storage;

/** An NVMe 1.4 controller with one namespace and a Controller Memory Buffer. */
public final class NvmeEndpoint implements Endpoint {
  private static final int VENDOR_ID = 0x1234;
  private static final int DEVICE_ID = 0x7033;

  /** Mass storage, non-volatile memory, NVM Express I/O controller. */
  private static final int NVM_EXPRESS = 0x010802;

  private static final int REVISION = 1;
  private static final int INTA = 1;

  private final NvmeConfig config;
  private final Storage storage;
  private final Identity identity;
  private final PciFunction function;
  private final RegisterMap registers = new RegisterMap(NvmeRegisters.BAR_SIZE);
  private Controller controller;

  /**
   * @param storage what the namespace's blocks are; stays its owner's to close, after the function
   * @throws IllegalArgumentException with one sentence, if the storage is not a whole number of
   *     logical blocks, at least one
   */
  public NvmeEndpoint(NvmeConfig config, Storage storage) {
    if (storage.size() < config.lbaSize() || storage.size() % config.lbaSize() != 0) {
      throw new IllegalArgumentException(
          "The size of the storage is a multiple of the logical block of %d bytes, not %d bytes."
              .formatted(config.lbaSize(), storage.size()));
    }
    this.config = config;
    this.storage = storage;
    identity = new Identity(config.serialNumber());
    PciFunctionBuilder declaration =
        PciFunction.builder()
            .identity(VENDOR_ID, DEVICE_ID)
            .classCode(NVM_EXPRESS)
            .revision(REVISION)
            .interruptPin(INTA)
            .msix(
                NvmeRegisters.MSIX_BAR,
                NvmeRegisters.MSIX_BAR_SIZE,
                config.queues() + 1,
                NvmeRegisters.MSIX_TABLE,
                NvmeRegisters.MSIX_PENDING)
            .advancedErrorReporting()
            .serialNumber(identity.deviceSerialNumber());
    if (config.cmbSize() != 0) {
      declaration.memory(NvmeRegisters.CMB_BAR, config.cmbSize());
    }
    function =
        switch (config.doorbells()) {
          case TRAP -> declaration.registers(NvmeRegisters.BAR, NvmeRegisters.BAR_SIZE).build();
          case MAP ->
              declaration
                  .registers(
                      NvmeRegisters.BAR,
                      NvmeRegisters.BAR_SIZE,
                      new Bar.Doorbells(
                          NvmeRegisters.DOORBELLS,
                          NvmeRegisters.DOORBELLS_LENGTH,
                          NvmeRegisters.DOORBELL_STRIDE,
                          Controller.doorbells(config)))
                  .build();
        };
  }

  @Override
  public PciFunction function() {
    return function;
  }

  @Override
  public void start(Host host) {
    controller = new Controller(config, storage, function, host, identity);
    controller.declare(registers);
    // Boot partitions and a persistent memory region are not offered: their registers read as zero.
    registers
        .readOnly(NvmeRegisters.BPINFO, "BPINFO", 4, () -> 0)
        .readOnly(NvmeRegisters.BPRSEL, "BPRSEL", 4, () -> 0)
        .readOnly(NvmeRegisters.BPMBL, "BPMBL", 8, () -> 0)
        .readOnly(NvmeRegisters.PMRCAP, "PMRCAP", 4, () -> 0)
        .readOnly(NvmeRegisters.PMRCTL, "PMRCTL", 4, () -> 0)
        .readOnly(NvmeRegisters.PMRSTS, "PMRSTS", 4, () -> 0)
        .readOnly(NvmeRegisters.PMREBS, "PMREBS", 4, () -> 0)
        .readOnly(NvmeRegisters.PMRSWTP, "PMRSWTP", 4, () -> 0)
        // 8 bytes wide but not 8-byte aligned: two registers to whoever reads it.
        .readOnly(NvmeRegisters.PMRMSC, "PMRMSC", 4, () -> 0)
        .readOnly(NvmeRegisters.PMRMSC + Integer.BYTES, "PMRMSC", 4, () -> 0)
        .readOnly(NvmeRegisters.NSSD, "NSSD", 4, () -> 0)
        .readOnly(NvmeRegisters.CRTO, "CRTO", 4, () -> 0);
  }

  @Override
  public long read(int bar, long offset, AccessWidth width) {
    return registers.read(offset, width);
  }

  @Override
  public void write(int bar, long offset, AccessWidth width, long value) {
    if (offset >= NvmeRegisters.DOORBELLS && width == AccessWidth.DWORD) {
      controller.doorbell(offset, value);
    } else {
      registers.write(offset, width, value);
    }
  }

  @Override
  public void reset(ResetKind kind) {
    controller.reset(kind);
  }
}
