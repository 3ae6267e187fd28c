package dev.peerbar.server;

import dev.peerbar.linux.UnixSocket;
import java.nio.file.Path;

/** Where an endpoint's clients come in. Printed as people and scripts see it. */
public sealed interface ListenAddress {

  /**
   * A socket made at a path, and removed at the end.
   *
   * @param mode permission bits of the file; to connect takes write permission
   */
  record AtPath(Path path, int mode) implements ListenAddress {

    /** For the owner only. */
    public AtPath(Path path) {
      this(path, UnixSocket.OWNER_ONLY);
    }

    @Override
    public String toString() {
      return path.toString();
    }
  }

  /** A UNIX stream socket that was open when the process began: listening, or connected already. */
  record Inherited(int descriptor) implements ListenAddress {
    @Override
    public String toString() {
      return "fd:" + descriptor;
    }
  }
}
