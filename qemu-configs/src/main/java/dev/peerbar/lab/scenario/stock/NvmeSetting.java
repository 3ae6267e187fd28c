package dev.peerbar.lab.scenario.stock;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.disk.NvmeDisk;
import dev.peerbar.lab.guest.Guest;
import java.io.IOException;
import java.util.List;

/**
 * What the steps of an NVMe scenario work on.
 *
 * @param lab the booted guest
 * @param boot which one
 * @param underTest the endpoint that all steps are about
 * @param second one more like it, a peer
 * @param inQemu QEMU's own, another peer
 */
record NvmeSetting(
    Lab lab,
    NvmeBoot boot,
    NvmeController underTest,
    NvmeController second,
    NvmeController inQemu) {

  Guest guest() {
    return lab.guest();
  }

  List<NvmeController> controllers() {
    return List.of(underTest, second, inQemu);
  }

  /** The endpoint under test as the guest has it now: names change when it is bound anew. */
  NvmeDisk disk() throws IOException {
    return disk(underTest);
  }

  NvmeDisk disk(NvmeController controller) throws IOException {
    return NvmeDisk.inSlot(guest(), controller.port().slot());
  }
}
