package dev.peerbar.lab.files;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * The files of this module that are not Java: {@code topologies/}, {@code kernel/}, {@code guest/}.
 */
public final class LabResources {
  private static final int STAMP_LENGTH = 12;

  private LabResources() {}

  /** The text of a file, by its path in the module. */
  public static String text(String path) throws IOException {
    try (InputStream in =
        LabResources.class.getResourceAsStream("/dev/peerbar/lab/files/" + path)) {
      if (in == null) {
        throw new IOException("no " + path + " in the program");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
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
