package dev.peerbar.server;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A listening socket and the file that names it. */
final class SocketFile implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SocketFile.class);
  private static final int BACKLOG = 16;
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(1);

  private final Path path;
  private final Object identity;
  private final FileDescriptor descriptor;

  private SocketFile(Path path, Object identity, FileDescriptor descriptor) {
    this.path = path;
    this.identity = identity;
    this.descriptor = descriptor;
  }

  /**
   * Listens, in place of a socket file that nobody serves any more.
   *
   * @param mode permission bits of the file; to connect takes write permission
   * @throws IOException with a sentence if the path is served, is no socket, or cannot be made
   */
  static SocketFile listen(Path path, int mode) throws IOException {
    if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      removeStale(path);
    }
    FileDescriptor descriptor;
    try {
      descriptor = UnixSocket.listen(path, mode, BACKLOG);
    } catch (LinuxException e) {
      throw new IOException("cannot listen on %s: %s".formatted(path, e.getMessage()), e);
    }
    return new SocketFile(path, identity(path), descriptor);
  }

  private static void removeStale(Path path) throws IOException {
    try {
      UnixSocket.connect(path, CONNECT_TIMEOUT).close();
    } catch (LinuxException e) {
      if (e.errno() == Errno.ECONNREFUSED && isSocket(path)) {
        log.info("replacing the stale socket {}", path);
        Files.deleteIfExists(path);
        return;
      }
      throw new IOException(
          "%s exists and is not a stale socket (%s): remove it or choose another path"
              .formatted(path, e.getMessage()),
          e);
    }
    throw new IOException("%s is being served already: choose another path".formatted(path));
  }

  private static boolean isSocket(Path path) throws IOException {
    final int typeMask = 0xF000;
    final int socket = 0xC000;
    int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    return (mode & typeMask) == socket;
  }

  private static Object identity(Path path) throws IOException {
    return Files.getAttribute(path, "unix:ino", LinkOption.NOFOLLOW_LINKS);
  }

  FileDescriptor descriptor() {
    return descriptor;
  }

  /** Removes the file, if it is still the one that was made. */
  @Override
  public void close() {
    descriptor.close();
    try {
      if (identity(path).equals(identity)) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      log.debug("{} has gone already: {}", path, e.getMessage());
    }
  }
}
