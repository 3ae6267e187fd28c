package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabFiles;
import java.util.Map;

/**
 * What guests are made of that have the kernel's own tests of vfio.
 *
 * @param files by the names of the {@link KernelVariant}s, in order; by an empty one if there was
 *     nothing to choose
 * @param tests which guests have in {@code /}{@value Selftests#PLACE}
 */
public record SelftestFiles(Map<String, LabFiles> files, Selftests tests) {}
