package dev.peerbar.scenario.fault;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import java.io.IOException;

/**
 * What both endpoints of a pair can do when nothing is wrong with them: looked at again and again.
 */
final class SoundPair {
  private static final long LENGTH = 64L << 10;
  private static final int SCRATCH = 0x5ca7c4;

  private final HbmPair pair;
  private final DmaRange from;
  private final DmaRange to;
  private Initiator ofA;

  /** Allocates what it takes, and sets A's channel up. */
  SoundPair(HbmPair pair) throws IOException {
    this.pair = pair;
    from = pair.allocate(LENGTH, 0);
    to = pair.allocate(LENGTH, 0);
    Pattern.fill(from, pair.run().seed());
  }

  /** Memory of the guest that both reach. */
  DmaRange memory() {
    return from;
  }

  /** B moves bytes and keeps what is written to its registers. */
  void checkB() throws Exception {
    pair.initiator().restart();
    check(pair.b(), pair.initiator());
  }

  /** A does. */
  void checkA() throws Exception {
    if (ofA == null) {
      ofA = Initiator.of(pair.a());
    }
    ofA.restart();
    check(pair.a(), ofA);
  }

  /** A does after a reset, which took its set-up away. */
  void checkResetA() throws Exception {
    pair.a().setUp();
    checkA();
  }

  private void check(HbmDriver driver, Initiator initiator) throws Exception {
    int id = driver.read(HbmRegisters.ID);
    unless(id == HbmRegisters.ID_VALUE, "ID is 0x%x", id);
    driver.write(HbmRegisters.SCRATCH, SCRATCH);
    int scratch = driver.read(HbmRegisters.SCRATCH);
    unless(scratch == SCRATCH, "SCRATCH is 0x%x", scratch);
    to.clear();
    initiator.copy(from.iova(), to.iova(), LENGTH);
    var seen = Pattern.verify(to, pair.run().seed());
    unless(seen.isEmpty(), "what was copied differs: %s", seen);
  }
}
