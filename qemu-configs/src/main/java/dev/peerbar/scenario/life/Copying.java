package dev.peerbar.scenario.life;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.boot.RefusedAccesses;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Wait;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.LongStream;

/** B copies guest memory into A, for longer than whatever is to cut it off takes to come. */
final class Copying {
  /** Of each copy, and of what is imported of A. */
  static final long LENGTH = 64L << 20;

  /** Of them queued: seconds of work. */
  private static final int QUEUED = 24;

  /** In pages of 4 KiB. */
  private static final long SCATTERED = 1L << 20;

  private static final long STEP = 64L << 10;

  private static final int MOST_STEPS = 32;

  private final HbmPair pair;
  private final Import peer;
  private final DmaRange out;
  private final MemorySegment target;

  private Copying(HbmPair pair, Import peer) throws IOException {
    this.pair = pair;
    this.peer = peer;
    out = pair.allocate(LENGTH, SCATTERED);
    target = pair.memoryOfA().asSlice(0, LENGTH);
  }

  /** Begins, and returns when some of the first copy has landed: how much is chosen at random. */
  static Copying begin(HbmPair pair, Import peer) throws Exception {
    Copying copying = new Copying(pair, peer);
    pair.run()
        .mayComplain(
            RefusedAccesses.writes(pair.deviceB().vfio().pci(), peer.iova(), peer.length()));
    Pattern.fill(copying.out, pair.run().seed());
    copying.target.fill((byte) 0);
    Descriptor[] copies = new Descriptor[QUEUED];
    Arrays.fill(copies, Initiator.copying(copying.out.iova(), peer.iova(), LENGTH));
    pair.initiator().channel().submit(copies);
    copying.awaitLanded(STEP * (1 + pair.run().random().nextInt(MOST_STEPS)));
    return copying;
  }

  /** Waits until the first copy has got as far as this. */
  private void awaitLanded(long offset) throws Exception {
    Wait.until(() -> hasLanded(offset), Initiator.LIMIT, "a copy to reach 0x%x".formatted(offset));
  }

  private boolean hasLanded(long offset) {
    return target.get(ValueLayout.JAVA_LONG, offset) != 0;
  }

  /** Forgets what has landed, and waits until more does. */
  void awaitProgress() throws Exception {
    target.fill((byte) 0);
    Wait.until(
        () -> LongStream.range(0, LENGTH / STEP).anyMatch(step -> hasLanded(step * STEP)),
        Initiator.LIMIT,
        "the copies to go on");
  }

  /** A checksum of what has landed in A's memory. */
  long landed() {
    return Checksum.of(target);
  }

  /** B has to report a write fault, somewhere in the import; where, in bytes from its first. */
  long awaitCutOff() throws Exception {
    pair.initiator().awaitFault();
    long at = pair.b().faultAddress() - peer.iova();
    ChannelState state = pair.initiator().channel().state();
    int error = pair.initiator().channel().error();
    unless(
        state == ChannelState.HALTED
            && error == ErrorCode.WRITE_FAULT.code()
            && at >= 0
            && at < LENGTH,
        "%s, error %d, fault at 0x%x of the import",
        state,
        error,
        at);
    return at;
  }

  /** Nothing has landed since. */
  void checkLanded(long before) throws Exception {
    unless(landed() == before, "A's memory changed after B was cut off");
  }
}
