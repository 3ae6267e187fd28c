package dev.peerbar.server.dma;

import java.util.List;

/**
 * A node of {@link Runs}. None is empty, but for a root without any run; of two neighbours under
 * one parent at least one is filled so far that they do not fit into three quarters of a node.
 */
sealed interface RunNode permits RunLeaf, RunBranch {

  /**
   * A node that became too full.
   *
   * @param right the new node after it
   * @param low not above any run of the new node, and above all of the old one
   */
  record Split(long low, RunNode right) {}

  /** Is told of runs. */
  interface Visitor {
    /**
     * A run.
     *
     * @param file which file is behind its mappings, or {@link Run#NO_FILE}
     * @param count of its mappings
     */
    void run(int file, int count);
  }

  /** Of runs, or of nodes. */
  int count();

  /** The most that {@link #count} may be. */
  int room();

  /** Adds a run, which begins where none does. Returns null if there was room. */
  Split insert(Run run);

  /**
   * Takes out the runs that begin in a range. The work grows with the height of the tree, however
   * many runs there are: nodes are taken out as they are.
   *
   * @param last the last address of the range
   * @param removed what was taken out is added to it
   */
  void remove(long from, long last, List<RunNode> removed);

  /**
   * Takes over what is in the next node of the same height, if that leaves both with room.
   *
   * @param low not above any run of it, and above all of this one
   */
  boolean absorb(long low, RunNode next);

  /** Tells of each run. */
  void visit(Visitor visitor);
}
