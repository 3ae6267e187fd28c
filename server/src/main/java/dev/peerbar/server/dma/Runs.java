package dev.peerbar.server.dma;

import java.util.List;

/**
 * The client's mappings as {@link Run}s, none of which overlap: a B+ tree of numbers, so that two
 * million of them are a few ten thousand objects and a look at one touches a few lines of a cache.
 * The function's thread changes it while it holds the {@link Gate}; engines look inside.
 */
final class Runs {
  /** Of a leaf: 2 KiB. Shifting half of it is cheaper than the way to another one. */
  private static final int LEAF_ROOM = 64;

  private static final int BRANCH_ROOM = 128;

  private final int leafRoom;
  private final int branchRoom;
  private RunNode root;
  private long changes;

  Runs() {
    this(LEAF_ROOM, BRANCH_ROOM);
  }

  /**
   * @param leafRoom the most runs of a leaf, at least 4
   * @param branchRoom the most nodes of a branch, at least 4
   */
  Runs(int leafRoom, int branchRoom) {
    this.leafRoom = leafRoom;
    this.branchRoom = branchRoom;
    root = new RunLeaf(leafRoom);
  }

  RunNode root() {
    return root;
  }

  /** Another number after each change. */
  long changes() {
    return changes;
  }

  /** Where somebody was who looked for runs; of use until they change. */
  final class Position {
    private RunLeaf leaf;
    private int index;
    private long seen;

    /** The run that covers an address, or null. The one found before or the next is found fast. */
    Run covering(long address) {
      if (leaf == null || seen != changes || !isHere(address)) {
        seek(address);
      }
      return index >= 0 && leaf.covers(index, address) ? leaf.run(index) : null;
    }

    /**
     * Goes to the next run and has the extent of this one become its extent, if that is all of one
     * file, and the next run is near and goes on in it.
     *
     * @param address where the next run has to begin
     * @return whether it has been done; the extent is as it was if not
     */
    boolean goOn(long address, Extent extent) {
      int next = index + 1;
      if (next >= leaf.count() || !leaf.continues(next, address, extent)) {
        return false;
      }
      index = next;
      return true;
    }

    /** The last run that begins at or before an address, or null. */
    private Run floor(long address) {
      seek(address);
      return index >= 0 ? leaf.run(index) : null;
    }

    private boolean isHere(long address) {
      if (index >= 0 && leaf.covers(index, address)) {
        return true;
      }
      int next = index + 1;
      if (next < leaf.count() && leaf.covers(next, address)) {
        index = next;
        return true;
      }
      return false;
    }

    private void seek(long address) {
      seen = changes;
      RunNode node = root;
      // What is before it at the lowest height where anything is.
      RunNode before = null;
      while (node instanceof RunBranch branch) {
        int at = branch.nodeFor(address);
        if (at > 0) {
          before = branch.node(at - 1);
        }
        node = branch.node(at);
      }
      leaf = (RunLeaf) node;
      index = leaf.floor(address);
      if (index < 0 && before != null) {
        leaf = lastLeaf(before);
        index = leaf.count() - 1;
      }
    }

    private static RunLeaf lastLeaf(RunNode from) {
      RunNode node = from;
      while (node instanceof RunBranch branch) {
        node = branch.node(branch.count() - 1);
      }
      return (RunLeaf) node;
    }
  }

  /** The last run that begins at or before an address, or null. */
  Run floor(long address) {
    return new Position().floor(address);
  }

  /** Adds a run, which overlaps none. */
  void insert(Run run) {
    changes++;
    RunNode.Split split = root.insert(run);
    if (split != null) {
      root = new RunBranch(branchRoom, root, split);
    }
    lower();
  }

  /** Puts a run in place of the one that begins at the same address. */
  void replace(Run run) {
    Position position = new Position();
    position.seek(run.iova());
    changes++;
    position.leaf.set(position.index, run);
  }

  /**
   * Takes out the runs that begin in a range. How many there are does not matter to the work.
   *
   * @param last the last address of the range
   * @param removed what was taken out is added to it
   */
  void remove(long from, long last, List<RunNode> removed) {
    changes++;
    root.remove(from, last, removed);
    lower();
  }

  /** A root that is a branch has two nodes or more. */
  private void lower() {
    while (root instanceof RunBranch branch && branch.count() < 2) {
      root = branch.count() == 0 ? new RunLeaf(leafRoom) : branch.node(0);
    }
  }

  /** Takes out all runs, as {@link #remove}. */
  void clear(List<RunNode> removed) {
    changes++;
    removed.add(root);
    root = new RunLeaf(leafRoom);
  }
}
