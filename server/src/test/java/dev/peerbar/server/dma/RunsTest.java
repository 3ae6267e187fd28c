package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The tree itself: what it finds beside a map of the JDK, and how it is built. */
final class RunsTest {
  private static final long PAGE = DmaTable.PAGE_SIZE;
  private static final int MANY = 200_000;

  /** A run that no other continues. */
  private static Run alone(long iova) {
    return new Run(iova, PAGE, 1, iova ^ 0x5000, 7, true, (iova & PAGE) != 0);
  }

  private static long key(long iova) {
    return iova ^ Long.MIN_VALUE;
  }

  @Property(tries = 300, seed = "1")
  void findsWhatAMapFinds(@ForAll long seed) {
    Random random = new Random(seed);
    Runs runs = new Runs(4 + random.nextInt(5), 4 + random.nextInt(5));
    Runs.Position place = runs.new Position();
    NavigableMap<Long, Run> model = new TreeMap<>();
    // All over the address space, or close together at its top.
    int shift = random.nextBoolean() ? 56 : 13;
    long base = shift == 56 ? 0 : -(256L << shift);
    for (int i = 0; i < 1500; i++) {
      long iova = base + ((long) random.nextInt(256) << shift);
      Map.Entry<Long, Run> entry = model.floorEntry(key(iova));
      Run there = entry != null && entry.getValue().iova() == iova ? entry.getValue() : null;
      int action = random.nextInt(i / 500 % 2 == 0 ? 5 : 9);
      if (there == null && action < 4) {
        runs.insert(alone(iova));
        model.put(key(iova), alone(iova));
      } else if (there != null && action < 4) {
        Run other = new Run(iova, PAGE, 2, PAGE * i, i, i % 2 == 0, i % 2 != 0);
        runs.replace(other);
        model.put(key(iova), other);
      } else {
        long last = action == 4 ? iova + random.nextInt(64) * (1L << shift) : iova;
        if (Long.compareUnsigned(last, iova) < 0) {
          last = -1;
        }
        NavigableMap<Long, Run> inside = model.subMap(key(iova), true, key(last), true);
        List<RunNode> removed = new ArrayList<>();
        runs.remove(iova, last, removed);
        List<Run> gone = new ArrayList<>();
        removed.forEach(node -> collect(node, gone));
        assertThat(gone).containsExactlyInAnyOrderElementsOf(inside.values());
        assertThat(counted(removed)).isEqualTo(inside.values().stream().mapToInt(Run::count).sum());
        inside.clear();
      }
      check(runs);
      for (int look = 0; look < 8; look++) {
        long address = base + ((long) random.nextInt(256) << shift) + random.nextInt(3) - 1;
        Map.Entry<Long, Run> floor = model.floorEntry(key(address));
        Run expected = floor == null ? null : floor.getValue();
        assertThat(runs.floor(address)).isEqualTo(expected);
        assertThat(place.covering(address))
            .isEqualTo(expected != null && expected.covers(address) ? expected : null);
      }
    }
    List<Run> all = new ArrayList<>();
    collect(runs.root(), all);
    assertThat(all).containsExactlyElementsOf(model.values());
  }

  private static void collect(RunNode node, List<Run> into) {
    switch (node) {
      case RunLeaf leaf -> {
        for (int i = 0; i < leaf.count(); i++) {
          into.add(leaf.run(i));
        }
      }
      case RunBranch branch -> {
        for (int i = 0; i < branch.count(); i++) {
          collect(branch.node(i), into);
        }
      }
    }
  }

  private static int counted(List<RunNode> nodes) {
    int[] sum = new int[1];
    nodes.forEach(node -> node.visit((_, count) -> sum[0] += count));
    return sum[0];
  }

  /**
   * Everything in order and at its place; no node empty, none alone that could be one with next.
   */
  static void check(Runs runs) {
    if (runs.root() instanceof RunBranch branch) {
      assertThat(branch.count()).as("nodes of the root").isGreaterThan(1);
    }
    check(runs.root(), 0, -1, true);
  }

  /** Returns the height. */
  private static int check(RunNode node, long low, long high, boolean root) {
    assertThat(node.count()).isLessThanOrEqualTo(node.room());
    if (!root) {
      assertThat(node.count()).isPositive();
    }
    if (node instanceof RunLeaf leaf) {
      for (int i = 0; i < leaf.count(); i++) {
        Run run = leaf.run(i);
        long least = i == 0 ? low : leaf.run(i - 1).last() + 1;
        assertThat(Long.compareUnsigned(run.iova(), least)).isNotNegative();
        assertThat(Long.compareUnsigned(run.iova(), high)).isNotPositive();
      }
      return 0;
    }
    RunBranch branch = (RunBranch) node;
    int height = -1;
    for (int i = 0; i < branch.count(); i++) {
      long from = i == 0 ? low : branch.low(i);
      long to = i == branch.count() - 1 ? high : branch.low(i + 1) - 1;
      int below = check(branch.node(i), from, to, false);
      assertThat(height).isIn(-1, below);
      height = below;
      if (i > 0) {
        RunNode before = branch.node(i - 1);
        assertThat(before.count() + branch.node(i).count()).isGreaterThan(before.room() * 3 / 4);
      }
    }
    return height + 1;
  }

  private enum Order {
    UPWARD,
    DOWNWARD,
    SHUFFLED,
    THINNED
  }

  /** Runs that do not merge, put in some order. */
  private static Runs many(Order order) {
    Runs runs = new Runs();
    List<Integer> places =
        new ArrayList<>(
            IntStream.range(0, order == Order.THINNED ? 4 * MANY : MANY).boxed().toList());
    switch (order) {
      case UPWARD -> {}
      case DOWNWARD -> Collections.reverse(places);
      case SHUFFLED, THINNED -> Collections.shuffle(places, new Random(1));
    }
    places.forEach(place -> runs.insert(alone(place * 2 * PAGE)));
    if (order == Order.THINNED) {
      // All but every fourth go, in any order: what is left must not keep the room of all.
      Collections.shuffle(places, new Random(2));
      for (int place : places) {
        if (place % 4 != 0) {
          runs.remove(place * 2 * PAGE, place * 2 * PAGE, new ArrayList<>());
        }
      }
    }
    check(runs);
    return runs;
  }

  /** What the threat model and the option's help say. */
  @ParameterizedTest
  @EnumSource
  void aRunTakesAFewDozenBytes(Order order) {
    long bytes = bytes(many(order).root());
    double each = (double) bytes / MANY;
    System.out.printf("%s: %.1f bytes a run%n", order, each);
    assertThat(each).isLessThan(order == Order.THINNED ? DmaTable.MOST_BYTES : 50);
  }

  /** By the sizes of the arrays; the objects around them are 16 bytes each, or a few more. */
  private static long bytes(RunNode node) {
    if (node instanceof RunBranch branch) {
      long sum = 129 * (Long.BYTES + Integer.BYTES) + 64;
      for (int i = 0; i < branch.count(); i++) {
        sum += bytes(branch.node(i));
      }
      return sum;
    }
    return 64 * 32 + 32;
  }

  /** However many are removed: engines wait for it. */
  @Test
  void aRangeOfAllIsTakenOutInAFewParts() {
    Runs runs = many(Order.SHUFFLED);
    runs.insert(alone(-PAGE));
    List<RunNode> removed = new ArrayList<>();
    runs.remove(2 * PAGE, -PAGE - 1, removed);
    assertThat(counted(removed)).isEqualTo(MANY - 1);
    // Two of each height, and one where the ways to the ends of the range part.
    assertThat(removed).hasSizeLessThan(8);
    check(runs);
    assertThat(runs.floor(-PAGE - 1)).isEqualTo(alone(0));
    assertThat(runs.floor(-1)).isEqualTo(alone(-PAGE));
  }
}
