package dev.peerbar.bench.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file for the report as JSON. */
public final class JsonFile {
  private final Path file;

  private JsonFile(Path file) {
    this.file = file;
  }

  /**
   * Makes sure that the file can be written, and does not touch what it holds.
   *
   * @throws IOException if it cannot
   */
  public static JsonFile prepare(Path file) throws IOException {
    Files.newByteChannel(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE).close();
    return new JsonFile(file);
  }

  /** Replaces what the file holds. */
  public void write(Report report) throws IOException {
    Files.writeString(file, JsonReport.indented(report));
  }
}
