package dev.peerbar.lab.boot;

import dev.peerbar.lab.kernel.KernelNeed;
import dev.peerbar.lab.kernel.KernelOptions;
import java.io.IOException;
import java.util.Collection;
import java.util.List;

/** The guest's kernel has not got options that something needs. The message names them. */
public final class KernelLacksException extends IOException {
  private static final long serialVersionUID = 1L;

  private KernelLacksException(String message) {
    super(message);
  }

  /** Throws if an option is missing that is needed for one of these. */
  public static void unlessThere(KernelOptions options, Collection<KernelNeed> needs)
      throws KernelLacksException {
    List<String> missing = options.missing(needs);
    if (!missing.isEmpty()) {
      throw new KernelLacksException(options.clause(missing));
    }
  }
}
