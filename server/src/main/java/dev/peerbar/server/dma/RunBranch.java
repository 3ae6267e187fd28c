package dev.peerbar.server.dma;

import java.util.Arrays;
import java.util.List;

/** Nodes of one height, by the addresses of their runs. */
final class RunBranch implements RunNode {
  // One more than may stay: it is split afterwards.
  private final RunNode[] nodes;
  // Not above any run of the node, and above all before it. Of the first node it says nothing.
  private final long[] lows;
  private int count;

  private RunBranch(int room) {
    nodes = new RunNode[room + 1];
    lows = new long[room + 1];
  }

  /** Nodes that were taken out, to be visited only. */
  private RunBranch(RunNode[] nodes) {
    this.nodes = nodes;
    lows = new long[0];
    count = nodes.length;
  }

  /** A node above one that was split. */
  RunBranch(int room, RunNode left, Split split) {
    this(room);
    nodes[0] = left;
    nodes[1] = split.right();
    lows[1] = split.low();
    count = 2;
  }

  @Override
  public int room() {
    return nodes.length - 1;
  }

  @Override
  public int count() {
    return count;
  }

  RunNode node(int index) {
    return nodes[index];
  }

  long low(int index) {
    return lows[index];
  }

  /** The node in which a run that begins at an address is, or would be. */
  int nodeFor(long address) {
    int low = 1;
    int high = count - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      if (Long.compareUnsigned(lows[middle], address) <= 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return high;
  }

  @Override
  public Split insert(Run run) {
    int index = nodeFor(run.iova());
    int before = nodes[index].count();
    Split split = nodes[index].insert(run);
    if (split == null) {
      // Of a branch, whose halves of a node were both joined to their neighbours.
      if (nodes[index].count() < before) {
        settle(index, index);
      }
      return null;
    }
    int at = index + 1;
    System.arraycopy(nodes, at, nodes, at + 1, count - at);
    System.arraycopy(lows, at, lows, at + 1, count - at);
    nodes[at] = split.right();
    lows[at] = split.low();
    count++;
    settle(index, at);
    if (count <= room()) {
      return null;
    }
    int keep = count / 2;
    RunBranch right = new RunBranch(room());
    right.count = count - keep;
    System.arraycopy(nodes, keep, right.nodes, 0, right.count);
    System.arraycopy(lows, keep, right.lows, 0, right.count);
    drop(keep, count);
    return new Split(right.lows[0], right);
  }

  @Override
  public void remove(long from, long last, List<RunNode> removed) {
    int first = nodeFor(from);
    int end = nodeFor(last);
    nodes[first].remove(from, last, removed);
    if (end > first) {
      nodes[end].remove(from, last, removed);
      if (end > first + 1) {
        removed.add(new RunBranch(Arrays.copyOfRange(nodes, first + 1, end)));
        drop(first + 1, end);
      }
      end = first + 1;
      end -= dropEmpty(end);
    }
    end -= dropEmpty(first);
    settle(first, end);
  }

  /** Returns how many went: one, or none. */
  private int dropEmpty(int index) {
    if (nodes[index].count() > 0) {
      return 0;
    }
    drop(index, index + 1);
    return 1;
  }

  private void drop(int from, int to) {
    System.arraycopy(nodes, to, nodes, from, count - to);
    System.arraycopy(lows, to, lows, from, count - to);
    int left = count - (to - from);
    Arrays.fill(nodes, left, count, null);
    count = left;
  }

  /** Joins nodes that have room, of those in a range, the one before and the one after it. */
  private void settle(int first, int last) {
    int end = last + 1;
    int index = Math.max(1, first);
    while (index < count && index <= end) {
      if (nodes[index - 1].absorb(lows[index], nodes[index])) {
        drop(index, index + 1);
        // What was joined at the seam may have left less than there was before.
        index = Math.max(1, index - 1);
      } else {
        index++;
      }
    }
  }

  @Override
  public boolean absorb(long low, RunNode next) {
    RunBranch other = (RunBranch) next;
    if (count + other.count > room() * 3 / 4) {
      return false;
    }
    int seam = count;
    System.arraycopy(other.nodes, 0, nodes, seam, other.count);
    System.arraycopy(other.lows, 0, lows, seam, other.count);
    lows[seam] = low;
    count += other.count;
    settle(seam, seam - 1);
    return true;
  }

  @Override
  public void visit(Visitor visitor) {
    for (int i = 0; i < count; i++) {
      nodes[i].visit(visitor);
    }
  }
}
