package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.kernel.KernelNeed;
import java.io.IOException;
import java.util.Optional;
import java.util.Set;

/** Something that a guest may or may not have, and that is looked for in it, never assumed. */
@FunctionalInterface
public interface Requirement {

  /**
   * Looks for it.
   *
   * @return why a scenario that needs it cannot be tried, such as {@code "the kernel has no
   *     iommufd"}; empty if it is there
   */
  Optional<String> missingIn(Lab lab) throws IOException;

  /** What of it a kernel's configuration tells, before that kernel runs. */
  default Set<KernelNeed> kernelNeeds() {
    return Set.of();
  }
}
