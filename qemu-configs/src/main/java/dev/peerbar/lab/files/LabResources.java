package dev.peerbar.lab.files;

import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * The files of this module that are not Java: {@code topologies/}, {@code kernel/}, {@code guest/}.
 */
public final class LabResources {
  private static final String PLACE = "dev/peerbar/lab/files/";
  private static final int STAMP_LENGTH = 12;

  private LabResources() {}

  /** The text of a file, by its path in the module. */
  public static String text(String path) throws IOException {
    try (InputStream in = LabResources.class.getResourceAsStream("/" + PLACE + path)) {
      if (in == null) {
        throw new IOException("no " + path + " in the program");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /**
   * The files of a directory that end alike, by their names without the ending, in order.
   *
   * @param directory its path in the module; nothing is in one that is not there
   */
  public static List<String> names(String directory, String ending) throws IOException {
    Path program;
    try {
      program =
          Path.of(LabResources.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IOException("the program's place has no path", e);
    }
    if (Files.isDirectory(program)) {
      return names(program.resolve(PLACE + directory), ending);
    }
    try (FileSystem jar = FileSystems.newFileSystem(program)) {
      return names(jar.getPath(PLACE + directory), ending);
    }
  }

  private static List<String> names(Path directory, String ending) throws IOException {
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(ending))
          .map(name -> name.substring(0, name.length() - ending.length()))
          .sorted()
          .toList();
    }
  }

  /** A short name for contents: the same for the same texts, another for others. */
  public static String stamp(String... texts) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (String t : texts) {
        byte[] bytes = t.getBytes(StandardCharsets.UTF_8);
        digest.update((bytes.length + ":").getBytes(StandardCharsets.UTF_8));
        digest.update(bytes);
      }
      return HexFormat.of().formatHex(digest.digest()).substring(0, STAMP_LENGTH);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
