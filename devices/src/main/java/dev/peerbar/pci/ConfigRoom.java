package dev.peerbar.pci;

import java.util.BitSet;
import java.util.OptionalInt;

/** Which bytes of a part of config space are free. */
final class ConfigRoom {
  private final int start;
  private final int end;
  private final BitSet taken;

  /** All free, from {@code start} up to {@code end}. */
  ConfigRoom(int start, int end) {
    this(start, end, new BitSet(end));
  }

  private ConfigRoom(int start, int end, BitSet taken) {
    this.start = start;
    this.end = end;
    this.taken = taken;
  }

  ConfigRoom copy() {
    return new ConfigRoom(start, end, (BitSet) taken.clone());
  }

  boolean contains(int at) {
    return at >= start && at < end;
  }

  /** Takes these bytes. Returns false, and takes none, if they are not all here and free. */
  boolean take(int at, int length) {
    if (at < start || at > end - length || !isFree(at, length)) {
      return false;
    }
    taken.set(at, at + length);
    return true;
  }

  /**
   * Takes the first free bytes.
   *
   * @param alignment of their start, a power of two
   * @return where they are; empty if there are not so many in a row
   */
  OptionalInt takeFirst(int length, int alignment) {
    for (int at = start; at <= end - length; at += alignment) {
      if (take(at, length)) {
        return OptionalInt.of(at);
      }
    }
    return OptionalInt.empty();
  }

  private boolean isFree(int at, int length) {
    int next = taken.nextSetBit(at);
    return next < 0 || next >= at + length;
  }
}
