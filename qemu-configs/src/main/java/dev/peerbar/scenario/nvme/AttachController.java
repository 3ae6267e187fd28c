package dev.peerbar.scenario.nvme;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.scenario.Description;
import dev.peerbar.scenario.FixtureKind;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.nvme.NvmeHbm;

/** A controller in the hands of a user-space driver tells of its memory buffer. */
public final class AttachController implements Scenario<NvmeHbm> {
  private static final int SUPPORTED =
      NvmeRegisters.CMBSZ_SQS
          | NvmeRegisters.CMBSZ_LISTS
          | NvmeRegisters.CMBSZ_RDS
          | NvmeRegisters.CMBSZ_WDS;

  @Override
  public Description description() {
    return Description.of(
        "nvme.attach",
        "bind an NVMe controller A and an HBM endpoint B to vfio-pci",
        "both attach to one IOAS, which has guest memory and B's memory; A has a CMB");
  }

  @Override
  public FixtureKind<NvmeHbm> fixture() {
    return NvmeHbm.KIND;
  }

  @Override
  public String run(NvmeHbm nvme) throws Exception {
    NvmeDriver.ControllerMemory cmb = nvme.cmb();
    unless(
        cmb.bar() == NvmeRegisters.CMB_BAR
            && cmb.length() == NvmeHbm.CMB
            && cmb.offset() == 0
            && cmb.supports(SUPPORTED),
        "%s",
        cmb);
    return "A %s, B %s, a CMB of %d MiB in BAR %d"
        .formatted(
            nvme.deviceA().vfio().pci(),
            nvme.deviceB().vfio().pci(),
            cmb.length() >> 20,
            cmb.bar());
  }
}
