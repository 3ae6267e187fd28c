package dev.peerbar.server.dma;

import java.util.Arrays;
import java.util.List;

/** Runs as numbers, by address: 32 bytes each, side by side. */
final class RunLeaf implements RunNode {
  // A run's words.
  private static final int WORDS = 4;
  private static final int SIZE = 1;
  private static final int OFFSET = 2;

  /** The count in the upper half, the kind in the lower one. */
  private static final int COUNT_AND_KIND = 3;

  private final long[] words;
  private int count;

  /**
   * @param room for so many runs
   */
  RunLeaf(int room) {
    words = new long[room * WORDS];
  }

  private RunLeaf(long[] words) {
    this.words = words;
    count = words.length / WORDS;
  }

  @Override
  public int room() {
    return words.length / WORDS;
  }

  @Override
  public int count() {
    return count;
  }

  /** The last run that begins at or before an address; -1 if none does. */
  int floor(long address) {
    int low = 0;
    int high = count - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(words[middle * WORDS], address) <= 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return high;
  }

  boolean covers(int index, long address) {
    int at = index * WORDS;
    long length = words[at + SIZE] * (words[at + COUNT_AND_KIND] >>> Integer.SIZE);
    return Long.compareUnsigned(address - words[at], length - 1) <= 0;
  }

  Run run(int index) {
    int at = index * WORDS;
    long rest = words[at + COUNT_AND_KIND];
    return new Run(
        words[at], words[at + SIZE], (int) (rest >>> Integer.SIZE), words[at + OFFSET], (int) rest);
  }

  /** Has an extent become a run's, if it is of the same kind, mapped, and begins at an address. */
  boolean continues(int index, long address, Extent extent) {
    int at = index * WORDS;
    long rest = words[at + COUNT_AND_KIND];
    return words[at] == address
        && extent.goOn(
            address, words[at + SIZE] * (rest >>> Integer.SIZE), words[at + OFFSET], (int) rest);
  }

  void set(int index, Run run) {
    int at = index * WORDS;
    words[at] = run.iova();
    words[at + SIZE] = run.size();
    words[at + OFFSET] = run.offset();
    words[at + COUNT_AND_KIND] = (long) run.count() << Integer.SIZE | run.kind();
  }

  @Override
  public Split insert(Run run) {
    int index = floor(run.iova()) + 1;
    if (count < room()) {
      put(index, run);
      return null;
    }
    // A run beyond either end is mostly one of a row that comes in order: then nodes stay full.
    int keep = index == count ? count : index == 0 ? 0 : count / 2;
    boolean goesRight = index > keep || index == count;
    RunLeaf right = new RunLeaf(room());
    right.count = count - keep;
    System.arraycopy(words, keep * WORDS, right.words, 0, right.count * WORDS);
    count = keep;
    if (goesRight) {
      right.put(index - keep, run);
    } else {
      put(index, run);
    }
    return new Split(right.words[0], right);
  }

  private void put(int index, Run run) {
    int at = index * WORDS;
    System.arraycopy(words, at, words, at + WORDS, (count - index) * WORDS);
    set(index, run);
    count++;
  }

  @Override
  public void remove(long from, long last, List<RunNode> removed) {
    int first = from == 0 ? 0 : floor(from - 1) + 1;
    int end = floor(last) + 1;
    if (first < end) {
      removed.add(new RunLeaf(Arrays.copyOfRange(words, first * WORDS, end * WORDS)));
      System.arraycopy(words, end * WORDS, words, first * WORDS, (count - end) * WORDS);
      count -= end - first;
    }
  }

  @Override
  public boolean absorb(long low, RunNode next) {
    RunLeaf other = (RunLeaf) next;
    if (count + other.count > room() * 3 / 4) {
      return false;
    }
    System.arraycopy(other.words, 0, words, count * WORDS, other.count * WORDS);
    count += other.count;
    return true;
  }

  @Override
  public void visit(Visitor visitor) {
    for (int i = 0; i < count; i++) {
      long rest = words[i * WORDS + COUNT_AND_KIND];
      visitor.run(Run.fileOf((int) rest), (int) (rest >>> Integer.SIZE));
    }
  }
}
