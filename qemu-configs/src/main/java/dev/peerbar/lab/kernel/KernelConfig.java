package dev.peerbar.lab.kernel;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A kernel's configuration.
 *
 * @param source where it was found, in words
 * @param values of the options that are set, by their names: {@code y}, {@code m} or another value
 */
record KernelConfig(String source, Map<String, String> values) {
  private static final String IMAGE_PREFIX = "vmlinuz-";
  private static final Path BUILT = Path.of("arch", "x86", "boot");

  KernelConfig {
    values = Map.copyOf(values);
  }

  static KernelConfig parse(String source, String text) {
    Map<String, String> values = new HashMap<>();
    for (String line : text.lines().toList()) {
      int equals = line.indexOf('=');
      if (line.startsWith("CONFIG_") && equals > 0) {
        values.put(line.substring(0, equals), line.substring(equals + 1));
      }
    }
    return new KernelConfig(source, values);
  }

  /** That of a file, which may be compressed. */
  static KernelConfig parse(String source, byte[] file) throws IOException {
    return parse(source, new String(Compressed.expand(file), StandardCharsets.UTF_8));
  }

  /**
   * That of a kernel on the host: out of its image, or of a file in one of the places where builds
   * and distributions leave it.
   *
   * @param modules its modules, if there are some
   */
  static Optional<KernelConfig> find(Path image, Optional<Path> modules) throws IOException {
    if (!Files.isRegularFile(image) || !Files.isReadable(image)) {
      return Optional.empty();
    }
    Optional<String> embedded = KernelImage.read(image).config();
    if (embedded.isPresent()) {
      return Optional.of(parse("the image itself", embedded.get()));
    }
    for (Path file : places(image, modules)) {
      if (Files.isRegularFile(file) && Files.isReadable(file)) {
        return Optional.of(parse(file.toString(), Files.readAllBytes(file)));
      }
    }
    return Optional.empty();
  }

  private static List<Path> places(Path image, Optional<Path> modules) {
    List<Path> places = new ArrayList<>();
    Path file = image.toAbsolutePath().normalize();
    String name = file.getFileName().toString();
    if (name.startsWith(IMAGE_PREFIX)) {
      places.add(file.resolveSibling("config-" + name.substring(IMAGE_PREFIX.length())));
    }
    if (file.getParent().endsWith(BUILT)) {
      places.add(file.getParent().resolve("../../../.config").normalize());
    }
    places.add(file.resolveSibling("config"));
    modules.ifPresent(directory -> {
      places.add(directory.resolve("config"));
      places.add(directory.resolve("build/.config"));
    });
    return places;
  }
}
