package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Changes to a kernel's source: mails, as {@code git format-patch} writes them, one or several in a
 * file, or plain diffs.
 *
 * @param name of the file
 * @param text of the file, a character a byte: patches have no one encoding
 */
public record KernelPatch(String name, String text) {
  private static final String DIRECTORY = "kernel/patches";
  private static final String ENDING = ".patch";

  /**
   * A file, or one of those in {@code kernel/patches} by its name.
   *
   * @throws IllegalArgumentException with a sentence if there is none
   */
  public static KernelPatch find(String given) throws IOException {
    Path file = Path.of(given);
    if (Files.isReadable(file) && !Files.isDirectory(file)) {
      return new KernelPatch(
          file.getFileName().toString(), Files.readString(file, StandardCharsets.ISO_8859_1));
    }
    if (LabResources.names(DIRECTORY, ENDING).contains(given)) {
      return new KernelPatch(
          given + ENDING,
          new String(
              LabResources.text(DIRECTORY + "/" + given + ENDING).getBytes(StandardCharsets.UTF_8),
              StandardCharsets.ISO_8859_1));
    }
    throw new IllegalArgumentException(
        "The patch '%s' is neither a file that can be read nor one of %s"
            .formatted(given, String.join(", ", LabResources.names(DIRECTORY, ENDING))));
  }
}
