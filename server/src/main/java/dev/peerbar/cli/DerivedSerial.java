package dev.peerbar.cli;

import dev.peerbar.server.ListenAddress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/**
 * A serial number for whoever names none: the same whenever an endpoint is served again, another
 * for every other endpoint.
 */
final class DerivedSerial {
  private static final String PREFIX = "PB";
  private static final int DIGEST_BYTES = 8;

  private DerivedSerial() {}

  /**
   * Made from the path of the image; without one, of the socket. An endpoint in memory behind an
   * inherited socket has nothing that lasts, and gets a number for this process.
   */
  static String of(Optional<Path> backing, ListenAddress place) {
    if (backing.isPresent()) {
      return digest("image " + real(backing.get()));
    }
    return digest(
        switch (place) {
          case ListenAddress.AtPath at -> "socket " + at.path().toAbsolutePath().normalize();
          case ListenAddress.Inherited inherited ->
              "descriptor %d of process %d"
                  .formatted(inherited.descriptor(), ProcessHandle.current().pid());
        });
  }

  /** However the way there is written. */
  private static Path real(Path path) {
    try {
      return path.toRealPath();
    } catch (IOException e) {
      // Opening it will say what is wrong.
      return path.toAbsolutePath().normalize();
    }
  }

  private static String digest(String what) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(what.getBytes(StandardCharsets.UTF_8));
      return PREFIX + HexFormat.of().formatHex(digest, 0, DIGEST_BYTES);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("Every Java platform has SHA-256", e);
    }
  }
}
