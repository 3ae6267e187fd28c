package dev.peerbar.scenario.ioat;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.ioat.ChannelError;
import dev.peerbar.devices.ioat.ChannelState;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.Wait;
import dev.peerbar.scenario.fixture.ioat.IoatHbm;
import dev.peerbar.scenario.fixture.ioat.IoatInitiator;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * B copying into A's memory until it is stopped, and what must be seen of it then. Where A's memory
 * is to B, the caller says.
 */
final class Load {
  static final int ROUNDS = 4;

  /** Of A's memory, from its first byte, that is copied into. */
  static final long LENGTH = 8L << 20;

  /** How much further a copy gets in each round before it is stopped. */
  private static final long PROGRESS = 256L << 10;

  private static final int SMALL = 4096;

  private final IoatHbm pair;
  private final DmaRange out;
  private final DmaRange back;
  private final MemorySegment target;

  Load(IoatHbm pair) throws IOException {
    this.pair = pair;
    out = pair.allocate(LENGTH, 0);
    back = pair.allocate(LENGTH, 0);
    Pattern.fill(out, pair.run().seed());
    target = pair.memoryOfA().asSlice(0, LENGTH);
  }

  /** One round. */
  @FunctionalInterface
  interface Round {
    /**
     * @param number from 1
     */
    void run(int number) throws Exception;
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

  /** Guest memory with the pattern that is copied. */
  DmaRange out() {
    return out;
  }

  /** Guest memory to copy to. */
  DmaRange back() {
    return back;
  }

  /** Lets B copy into A's memory over and over, and returns when it is amid that. */
  void begin(long iova, int round) throws Exception {
    clearTarget();
    pair.initiator().loop(out.iova(), iova, LENGTH);
    awaitWritten(round);
  }

  /** The same out of A's memory. */
  void beginReading(long iova, int round) throws Exception {
    Pattern.fill(target, pair.run().seed());
    back.clear();
    pair.initiator().loop(iova, back.iova(), LENGTH);
    awaitRead(round);
  }

  void clearTarget() {
    target.fill((byte) 0);
  }

  /** Waits until a copy has come so far in A's memory. */
  void awaitWritten(int round) throws Exception {
    Wait.until(
        () -> target.get(ValueLayout.JAVA_LONG, round * PROGRESS) != 0,
        IoatInitiator.LIMIT,
        "a copy to reach 0x%x".formatted(round * PROGRESS));
  }

  /** Waits until a copy has come so far in A's memory, or B has halted; whether it has come. */
  boolean goesOn(int round) throws Exception {
    long end = System.nanoTime() + IoatInitiator.LIMIT.toNanos();
    while (target.get(ValueLayout.JAVA_LONG, round * PROGRESS) == 0) {
      if (pair.initiator().channel().state() == ChannelState.HALTED) {
        return false;
      }
      unless(System.nanoTime() < end, "B is active, and copies nothing");
    }
    return true;
  }

  /** Waits until a copy has come so far in the guest's. */
  void awaitRead(int round) throws Exception {
    long end = System.nanoTime() + IoatInitiator.LIMIT.toNanos();
    while (back.loadLong(round * PROGRESS) == 0) {
      unless(System.nanoTime() < end, "waited in vain for a copy to reach 0x%x", round * PROGRESS);
    }
  }

  /**
   * Waits until what B had on the wire when it was stopped is over, and its interrupts: QEMU takes
   * requests in turn, and so it does with signals of a vector. A's last bytes are read for that.
   */
  void settle(long iova) throws Exception {
    for (int i = 0; i < 2; i++) {
      pair.initiator().copy(iova + LENGTH - SMALL, back.iova(), SMALL);
    }
  }

  /** B, which was stopped, writes nothing any more and does not interrupt. */
  void checkStopped(long iova) throws Exception {
    settle(iova);
    clearTarget();
    pair.initiator().copyQuietly(iova, back.iova(), LENGTH);
    checkNothingLands();
  }

  /** A's memory has been left as it was cleared. */
  void checkNothingLands() throws UnexpectedException {
    for (long at = 0; at < LENGTH; at += Long.BYTES) {
      unless(target.get(ValueLayout.JAVA_LONG, at) == 0, "A's memory changed at 0x%x", at);
    }
  }

  /** B cannot write A's memory, nor read it: it halts with the error for each. */
  void checkCutOff(long iova) throws Exception {
    clearTarget();
    back.clear();
    pair.initiator().expectHalt(out.iova(), iova, SMALL, ChannelError.WRITE_DATA);
    pair.initiator().expectHalt(iova, back.iova(), SMALL, ChannelError.READ_DATA);
    checkNothingLands();
    checkNothingComes();
  }

  /** Guest memory to copy to has been left as it was cleared. */
  void checkNothingComes() throws Exception {
    for (long at = 0; at < LENGTH; at += IoatInitiator.LONGEST) {
      unless(back.loadLong(at) == 0, "guest memory changed at 0x%x", at);
    }
  }

  /** A whole copy there is right, and one back. */
  void checkWorks(long iova) throws Exception {
    clearTarget();
    back.clear();
    pair.initiator().copy(out.iova(), iova, LENGTH);
    checkWritten();
    pair.initiator().copy(iova, back.iova(), LENGTH);
    var seen = Pattern.verify(back, pair.run().seed());
    unless(seen.isEmpty(), "what came back differs: %s", seen);
  }

  /** All that is copied has landed in A's memory. */
  void checkWritten() throws UnexpectedException {
    long right = written();
    unless(right == LENGTH, "A's memory differs at 0x%x", right);
  }

  /** How much of what is copied has landed in A's memory, from its first byte. */
  long written() {
    return Pattern.mismatch(target, pair.run().seed());
  }

  /** Resets A, which has to be what happens. */
  void resetA() throws Exception {
    int before = pair.a().read(HbmRegisters.RESET_COUNT);
    pair.deviceA().reset();
    int after = pair.a().read(HbmRegisters.RESET_COUNT);
    unless(after == before + 1, "RESET_COUNT went from %d to %d", before, after);
  }
}
