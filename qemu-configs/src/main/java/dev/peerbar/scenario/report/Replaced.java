package dev.peerbar.scenario.report;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** A file that is never half there under its name: it is replaced when it is whole. */
final class Replaced {
  private Replaced() {}

  /** Writes to a file. */
  @FunctionalInterface
  interface Content {
    void to(OutputStream out) throws IOException;
  }

  static void write(Path file, Content content) throws IOException {
    Path part = file.resolveSibling(file.getFileName() + ".part");
    try (OutputStream out = Files.newOutputStream(part)) {
      content.to(out);
    }
    Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
  }
}
