package dev.peerbar.probe;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Output as it is meant to be, in files beside the tests' classes. */
final class Golden {
  private Golden() {}

  /** Equal to a file. What was seen is left under target/golden, to be copied if it is meant. */
  static void matches(String name, String seen) throws IOException {
    Path copy = Path.of("target", "golden", name);
    Files.createDirectories(copy.getParent());
    Files.writeString(copy, seen);
    try (InputStream wanted = Golden.class.getResourceAsStream(name)) {
      assertThat(wanted).as(name).isNotNull();
      assertThat(seen).isEqualTo(new String(wanted.readAllBytes(), StandardCharsets.UTF_8));
    }
  }
}
