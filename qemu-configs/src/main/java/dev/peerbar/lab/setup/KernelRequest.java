package dev.peerbar.lab.setup;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Kernels that are to be built.
 *
 * @param tree the user's own source, which is not touched; without it the distribution's
 * @param patches what is applied to a copy of the source first, in order
 * @param variants one or more, by different names
 */
public record KernelRequest(
    Optional<Path> tree, List<KernelPatch> patches, List<KernelVariant> variants) {
  /** The distribution's, as it is. */
  static final KernelRequest DISTRIBUTION =
      new KernelRequest(Optional.empty(), List.of(), List.of(KernelVariant.ONLY));

  public KernelRequest {
    patches = List.copyOf(patches);
    variants = List.copyOf(variants);
  }

  /** Whether a directory has the source of a kernel in it. */
  public static boolean isSource(Path directory) {
    return Files.isRegularFile(directory.resolve("Kconfig"))
        && Files.isRegularFile(directory.resolve("Makefile"))
        && Files.isDirectory(directory.resolve("arch/x86"));
  }
}
