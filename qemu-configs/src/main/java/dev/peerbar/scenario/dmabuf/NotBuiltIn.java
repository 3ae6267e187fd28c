package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.vfio.VfioDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.Requirement;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import java.util.List;
import java.util.Optional;

/** What vfio-pci answers where it was built without DMABUFs (CONFIG_VFIO_PCI_DMABUF). */
final class NotBuiltIn {
  private static final long LENGTH = 1L << 20;

  private static final Requirement ABSENT =
      lab ->
          lab.kernelOptions().missing(KernelNeed.P2PDMA, KernelNeed.DMABUF).isEmpty()
              ? Optional.of("the kernel's vfio-pci exports DMABUFs")
              : Optional.empty();

  private NotBuiltIn() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "dmabuf.not-built-in",
                "ask a kernel without P2PDMA or DMABUFs to probe for them and export A's memory BAR",
                "both are ENOTTY; the BAR is mapped and A is reset all the same",
                NotBuiltIn::run)
            .needing(ABSENT));
  }

  private static String run(HbmPair pair) throws Exception {
    VfioDevice vfio = pair.deviceA().vfio();
    unless(!vfio.exportsDmabufs(), "a probe for DMABUFs is not ENOTTY");
    Refusals.refused(
        Errno.ENOTTY,
        "an export of A's memory",
        () -> vfio.exportDmabuf(HbmRegisters.MEMORY_BAR, 0, LENGTH));
    long seed = pair.run().seed();
    try (GuestMemory bar = vfio.mmapBar(HbmRegisters.MEMORY_BAR, 0, LENGTH)) {
      bar.fillPattern(0, LENGTH, seed);
      long mismatch = Pattern.mismatch(pair.memoryOfA().asSlice(0, LENGTH), seed);
      unless(mismatch == LENGTH, "the host sees other bytes at 0x%x", mismatch);
    }
    return "ENOTTY twice, 1 MiB mapped, reset in %d ms".formatted(vfio.reset().toMillis());
  }
}
