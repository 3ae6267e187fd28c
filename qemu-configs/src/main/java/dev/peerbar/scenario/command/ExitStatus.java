package dev.peerbar.scenario.command;

/**
 * What the program's exit status says of a kernel, as {@code git bisect run} takes it: 0 is good, 1
 * to 127 bad but for 125, which is neither, and whatever is more ends the search.
 */
final class ExitStatus {
  static final int HELD = 0;
  static final int FAILED = 1;

  /** There is no kernel to judge: it does not build, or it does not boot. */
  static final int NO_KERNEL = 125;

  /** Nothing was tried, for a reason that has nothing to do with the kernel. */
  static final int NOT_TRIED = 128;

  private ExitStatus() {}
}
