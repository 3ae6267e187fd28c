package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.HbmPair;
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

  /** Of each copy, and of what is imported of A, where twenty resets are each to meet a copy. */
  static final long LENGTH = 64L << 20;

  /** The same where one is. */
  static final long SHORT = 8L << 20;

  /**
   * Copies queued before a reset, so that one is running whenever the reset comes: on a busy
   * machine that may be a second later.
   */
  private static final int QUEUED = 16;

  /** How much further a copy gets in each round before a reset hits it. */
  private static final long PROGRESS = 128L << 10;

  /** In pages of 4 KiB: all that a copy gets to see before its reset. */
  private static final long SCATTERED = 4L << 20;

  private static final long LATER_COPY = 64L << 10;

  /** More of A's memory behind what a copy writes. */
  private static final long BEHIND = 1L << 20;

  private final HbmPair pair;
  private final long length;
  private final DmaRange out;
  private final MemorySegment target;
  private final MemorySegment behind;

  /**
   * @param length of each copy, in bytes
   */
  Load(HbmPair pair, long length) throws IOException {
    this.pair = pair;
    this.length = length;
    out = pair.allocate(length, SCATTERED);
    Pattern.fill(out, pair.run().seed());
    target = pair.memoryOfA().asSlice(0, length);
    behind = pair.memoryOfA().asSlice(length, BEHIND);
    Pattern.fill(behind, ~pair.run().seed());
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
  void begin(long iova, int round) throws Exception {
    target.fill((byte) 0);
    pair.initiator().restart();
    var copies = new Descriptor[QUEUED];
    Arrays.fill(copies, Initiator.copying(out.iova(), iova, length));
    pair.initiator().channel().submit(copies);
    long reached = round * PROGRESS;
    Wait.until(
        () -> target.get(ValueLayout.JAVA_LONG, reached) != 0,
        Initiator.LIMIT,
        "a copy to reach 0x%x".formatted(reached));
  }

  /** Queues one more copy. A channel that has halted takes no notice. */
  void copyOnceMore(long iova) throws IOException {
    pair.initiator().channel().submit(Initiator.copying(out.iova(), iova, length));
  }

  /** Waits until all of a copy has landed, as the host sees it. */
  void awaitLanded() throws Exception {
    long last = length - Long.BYTES;
    Wait.until(
        () -> target.get(ValueLayout.JAVA_LONG, last) != 0, Initiator.LIMIT, "a copy to end");
  }

  /** Waits until B has nothing to do any more: all of its copies were made, and are right. */
  void checkAllMade() throws Exception {
    HbmChannel channel = pair.initiator().channel();
    ChannelState state = channel.awaitRest(Initiator.LIMIT);
    long made = channel.completed();
    unless(
        state == ChannelState.IDLE && made == QUEUED,
        "%s, error %d, fault at 0x%x after %d copies of %d",
        state,
        channel.error(),
        pair.b().faultAddress(),
        made,
        QUEUED);
    long right = Pattern.mismatch(target, pair.run().seed());
    unless(right == length, "a copy that went on is wrong at 0x%x", right);
    checkBehind();
  }

  /** Waits until B has halted at its fault, which is in a range; where, from its start. */
  long checkHalted(ErrorCode error, long iova) throws Exception {
    pair.initiator().awaitFault();
    HbmChannel channel = pair.initiator().channel();
    long at = pair.b().faultAddress() - iova;
    unless(
        channel.state() == ChannelState.HALTED
            && channel.error() == error.code()
            && at >= 0
            && at < length,
        "%s, error %d, fault at 0x%x",
        channel.state(),
        channel.error(),
        pair.b().faultAddress());
    return at;
  }

  /** Nothing has landed behind what was copied. */
  private void checkBehind() throws Exception {
    long same = Pattern.mismatch(behind, ~pair.run().seed());
    unless(same == BEHIND, "A's memory changed at 0x%x, behind all copies", length + same);
  }

  /**
   * Waits until what B had on the wire when it was stopped is over: QEMU takes its requests in
   * turn, so that a small copy made now ends after them.
   */
  void settle(long iova) throws Exception {
    pair.initiator().restart();
    pair.initiator().copy(out.iova(), iova, Long.BYTES);
  }

  /** What has landed in A's memory. */
  long landed() {
    return Checksum.of(target);
  }

  /** Nothing has landed any more. */
  void checkLanded(long before) throws Exception {
    unless(landed() == before, "A's memory changed afterwards");
    checkBehind();
  }

  /** A copy begun now is right. */
  void checkWorks(long iova) throws Exception {
    pair.initiator().restart();
    MemorySegment written = target.asSlice(0, LATER_COPY);
    written.fill((byte) 0);
    pair.initiator().copy(out.iova(), iova, LATER_COPY);
    long mismatch = Pattern.mismatch(written, pair.run().seed());
    unless(mismatch == LATER_COPY, "a copy after a reset is wrong at 0x%x", mismatch);
  }
}
