package dev.peerbar.lab.setup;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * The kernel's own tests of vfio (tools/testing/selftests/vfio), built from its source as they are.
 *
 * @param directory where the programs are
 * @param source what they were built from: a package and its version, or a directory
 */
public record Selftests(Path directory, String source) {
  /** Where a guest has them. */
  public static final String PLACE = "selftests";

  /** The names of the programs, in order. */
  public List<String> programs() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
