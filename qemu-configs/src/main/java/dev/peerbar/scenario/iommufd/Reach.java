package dev.peerbar.scenario.iommufd;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.fixture.HbmPair;

/** What B reaches of A's memory at an IOVA, and what it does not. */
final class Reach {
  private Reach() {}

  /**
   * B reads what A has there, and writes what A has then.
   *
   * @param offset in A's memory, of what is at the IOVA
   * @param memory of the guest, as long as what is tried
   */
  static void check(HbmPair pair, long iova, long offset, DmaRange memory) throws Exception {
    long length = memory.length();
    var host = pair.memoryOfA().asSlice(offset, length);
    long seed = pair.run().seed() + iova;
    Pattern.fill(host, seed);
    pair.initiator().copy(iova, memory.iova(), length);
    var seen = Pattern.verify(memory, seed);
    unless(seen.isEmpty(), "B read other bytes at IOVA 0x%x: %s", iova, seen);
    Pattern.fill(memory, ~seed);
    pair.initiator().copy(memory.iova(), iova, length);
    long mismatch = Pattern.mismatch(host, ~seed);
    unless(mismatch == length, "A's memory differs at 0x%x", offset + mismatch);
  }

  /** B cannot write there: its channel halts, and is started again. */
  static void expectFault(HbmPair pair, long iova) throws Exception {
    pair.initiator()
        .expectFault(
            Descriptor.fill(-1, Long.BYTES).to(iova).interrupt(), ErrorCode.WRITE_FAULT, iova);
    pair.initiator().restart();
  }
}
