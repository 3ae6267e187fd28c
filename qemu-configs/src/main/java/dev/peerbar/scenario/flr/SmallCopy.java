package dev.peerbar.scenario.flr;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Initiator;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Small copies by B into A, each of which is judged. */
final class SmallCopy {
  static final long LENGTH = 64L << 10;

  private final HbmPair pair;
  private final DmaRange out;

  SmallCopy(HbmPair pair) throws IOException {
    this.pair = pair;
    out = pair.allocate(LENGTH, 0);
    Pattern.fill(out, pair.run().seed());
  }

  /** What is copied. */
  DmaRange out() {
    return out;
  }

  /** One through a mapping of A's memory from {@code offset} on is right. */
  void right(long iova, long offset) throws Exception {
    MemorySegment target = target(offset);
    target.fill((byte) 0);
    pair.initiator().restart();
    pair.initiator().copy(out.iova(), iova, LENGTH);
    checkRight(target);
  }

  /** The same from A's first byte on. */
  void right(long iova) throws Exception {
    right(iova, 0);
  }

  /** One is right, or faults at its first byte and writes none; whether it was right. */
  boolean rightOrFaulted(long iova) throws Exception {
    MemorySegment target = target(0);
    target.fill((byte) 0);
    pair.initiator().restart();
    int entry = pair.initiator().channel().submit(Initiator.copying(out.iova(), iova, LENGTH));
    unless(
        pair.initiator().channel().awaitInterrupt(Initiator.LIMIT),
        "no interrupt; the channel is %s",
        pair.initiator().channel().state());
    Completion completion = pair.initiator().channel().completion(entry);
    if (completion.done()) {
      checkRight(target);
      return true;
    }
    unless(
        completion.error() == ErrorCode.WRITE_FAULT.code()
            && completion.moved() == 0
            && pair.b().faultAddress() == iova
            && target.mismatch(MemorySegment.ofArray(new byte[(int) LENGTH])) == -1,
        "%s, fault at 0x%x",
        completion,
        pair.b().faultAddress());
    return false;
  }

  private MemorySegment target(long offset) {
    return pair.memoryOfA().asSlice(offset, LENGTH);
  }

  private void checkRight(MemorySegment target) throws Exception {
    long right = Pattern.mismatch(target, pair.run().seed());
    unless(right == LENGTH, "a copy by B is wrong at 0x%x", right);
  }
}
