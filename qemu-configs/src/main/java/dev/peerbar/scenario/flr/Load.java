package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Import;
import dev.peerbar.scenario.fixture.Initiator;
import dev.peerbar.scenario.fixture.Wait;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** B copying into A, which a reset is to hit, and what must be seen in A's memory then. */
final class Load {
  static final int ROUNDS = 20;

  /** One round. */
  @FunctionalInterface
  interface Round {
    /**
     * @param number from 1
     */
    void run(int number) throws Exception;
  }

  /** Of each copy, and of what is imported of A. */
  static final long LENGTH = 64L << 20;

  /** Copies queued before a reset, so that one is running whenever the reset comes. */
  private static final int QUEUED = 2;

  /** How much further a copy gets in each round before a reset hits it. */
  private static final long PROGRESS = 128L << 10;

  /** In pages of 4 KiB: all that a copy gets to see before its reset. */
  private static final long SCATTERED = 4L << 20;

  private static final long LATER_COPY = 1L << 20;

  private final HbmPair pair;
  private final DmaRange out;
  private final MemorySegment target;

  Load(HbmPair pair) throws IOException {
    this.pair = pair;
    out = pair.allocate(LENGTH, SCATTERED);
    Pattern.fill(out, pair.run().seed());
    target = pair.memoryOfA().asSlice(0, LENGTH);
  }

  /** All rounds; what one sees that it does not expect has its number. */
  static void rounds(Round round) throws Exception {
    for (int number = 1; number <= ROUNDS; number++) {
      try {
        round.run(number);
      } catch (UnexpectedException e) {
        throw new UnexpectedException("round %d: %s".formatted(number, e.getMessage()));
      }
    }
  }

  /** Lets B copy into A, and returns when it is under way, further on in each round. */
  void begin(Import peer, int round) throws Exception {
    target.fill((byte) 0);
    pair.initiator().restart();
    var copies = new Descriptor[QUEUED];
    Arrays.fill(copies, Initiator.copying(out.iova(), peer.iova(), LENGTH));
    pair.initiator().channel().submit(copies);
    long reached = round * PROGRESS;
    Wait.until(
        () -> target.get(ValueLayout.JAVA_LONG, reached) != 0,
        Initiator.LIMIT,
        "a copy to reach 0x%x".formatted(reached));
  }

  /** Queues one more copy. A channel that has halted takes no notice. */
  void copyOnceMore(Import peer) throws IOException {
    pair.initiator().channel().submit(Initiator.copying(out.iova(), peer.iova(), LENGTH));
  }

  /** What has landed in A's memory. */
  long landed() {
    return Checksum.of(target);
  }

  /** Nothing has landed any more. */
  void checkLanded(long before) throws Exception {
    unless(landed() == before, "A's memory changed after the reset");
  }

  /** A copy begun now is right. */
  void checkWorks(Import peer) throws Exception {
    pair.initiator().restart();
    MemorySegment written = target.asSlice(0, LATER_COPY);
    written.fill((byte) 0);
    pair.initiator().copy(out.iova(), peer.iova(), LATER_COPY);
    long mismatch = Pattern.mismatch(written, pair.run().seed());
    unless(mismatch == LATER_COPY, "a copy after a reset is wrong at 0x%x", mismatch);
  }
}
