package dev.peerbar.lab.kernel;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A module, as the kernel takes it.
 *
 * @param name with underscores
 * @param file where it was
 * @param bytes of the ELF object, not compressed
 */
public record KernelModule(String name, Path file, byte[] bytes) {
  private static final byte[] ELF = {0x7f, 'E', 'L', 'F'};

  static KernelModule read(String name, Path file) throws IOException {
    byte[] bytes = Compressed.expand(Files.readAllBytes(file));
    if (bytes.length < ELF.length
        || !java.util.Arrays.equals(bytes, 0, ELF.length, ELF, 0, ELF.length)) {
      throw new IOException(file + " is no kernel module");
    }
    return new KernelModule(name, file, bytes);
  }

  /** The release of the kernel that it was built for. */
  Optional<String> release() {
    return info("vermagic").stream().map(magic -> magic.split(" ")[0]).findFirst();
  }

  /** What has to be loaded before. */
  List<String> dependencies() {
    return words(info("depends"), ",");
  }

  /** What had better be loaded before, if it is there. */
  List<String> wishes() {
    List<String> wishes = new ArrayList<>();
    for (String line : info("softdep")) {
      boolean before = false;
      for (String word : line.split("\\s+")) {
        if (word.endsWith(":")) {
          before = word.equals("pre:");
        } else if (before) {
          wishes.add(word);
        }
      }
    }
    return wishes;
  }

  private static List<String> words(List<String> values, String separator) {
    return values.stream()
        .flatMap(v -> java.util.Arrays.stream(v.split(separator)))
        .filter(w -> !w.isBlank())
        .toList();
  }

  // The section .modinfo is a row of NUL-terminated "key=value" strings. Nothing else in a module
  // has that shape for these keys, so the section's headers need not be read.
  private List<String> info(String key) {
    List<String> values = new ArrayList<>();
    byte[] start = ("\0" + key + "=").getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i <= bytes.length - start.length; i++) {
      if (bytes[i] == 0
          && java.util.Arrays.equals(bytes, i, i + start.length, start, 0, start.length)) {
        int from = i + start.length;
        int to = from;
        while (to < bytes.length && bytes[to] != 0) {
          to++;
        }
        values.add(new String(bytes, from, to - from, StandardCharsets.US_ASCII));
      }
    }
    return values;
  }
}
