package dev.peerbar.cli;

import dev.peerbar.linux.CpuAffinity;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.server.Polling;
import java.util.BitSet;
import java.util.StringJoiner;

/**
 * The processors on which this process may run.
 *
 * @param numbers of them; at least one
 */
record AllowedProcessors(BitSet numbers) {

  /** Those that the calling thread has, which are the process's unless somebody tells it more. */
  static AllowedProcessors here() {
    try {
      return new AllowedProcessors(CpuAffinity.ofCallingThread());
    } catch (LinuxException e) {
      throw new CommandFailedException("no processor can be chosen here: " + e.getMessage(), e);
    }
  }

  /**
   * Looks whether the processor of a polling is one of them.
   *
   * @throws CommandFailedException with a sentence if not
   */
  void check(Polling polling) {
    polling
        .cpu()
        .ifPresent(cpu -> {
          if (!numbers.get(cpu)) {
            throw new CommandFailedException(
                "this process may not run on processor %d: poll on one of %s, or name none"
                    .formatted(cpu, this));
          }
        });
  }

  /** As taskset and the kernel write it: {@code 0-3,8}. */
  @Override
  public String toString() {
    StringJoiner ranges = new StringJoiner(",");
    for (int first = numbers.nextSetBit(0); first >= 0; ) {
      int end = numbers.nextClearBit(first);
      ranges.add(end - first == 1 ? "" + first : "%d-%d".formatted(first, end - 1));
      first = numbers.nextSetBit(end);
    }
    return ranges.toString();
  }
}
