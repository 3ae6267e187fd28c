package dev.peerbar.probe;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.client.RemoteErrorException;
import java.io.EOFException;
import java.io.IOException;
import java.math.BigDecimal;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** Says what went wrong and what to do about it, in one sentence for the person who asked. */
final class Explanation {
  private static final int FILE_TYPE = 0170000;
  private static final int SOCKET = 0140000;
  private static final int DIRECTORY = 0040000;
  private static final int REGULAR = 0100000;

  private final Path path;
  private final Duration timeout;

  Explanation(Path path, Duration timeout) {
    this.path = path;
    this.timeout = timeout;
  }

  /** Why there is no connection. */
  String ofConnecting(LinuxException failure) {
    return switch (failure.errno()) {
      case ENOENT ->
          "there is no %s: start the server first, or give the path that it was given"
              .formatted(path);
      case ECONNREFUSED -> ofRefusal();
      case EPROTOTYPE ->
          "%s is a socket, but not one that takes connections: give the path of a vfio-user server"
              .formatted(path);
      case EACCES, EPERM ->
          "you may not connect to %s: run this as the user who owns it".formatted(path);
      case EAGAIN -> ofBacklog();
      case ENAMETOOLONG ->
          "%s is too long for a socket's path: 107 bytes are allowed, so use a relative path or a link"
              .formatted(path);
      default -> "cannot connect to %s: %s".formatted(path, failure.getMessage());
    };
  }

  /** The kernel says ECONNREFUSED of whatever has no socket that listens. */
  private String ofRefusal() {
    return switch (fileType()) {
      case SOCKET ->
          "nobody listens at %s: its server has ended, so start it again".formatted(path);
      case DIRECTORY -> "%s is a directory: give the path of the socket in it".formatted(path);
      case REGULAR -> "%s is a file: give the path of a server's socket".formatted(path);
      default -> "%s is no socket: give the path of a server's socket".formatted(path);
    };
  }

  private int fileType() {
    try {
      return (int) Files.getAttribute(path, "unix:mode") & FILE_TYPE;
    } catch (IOException e) {
      return SOCKET;
    }
  }

  private String ofBacklog() {
    return "%s has no room for another connection (waited %s): end one of its clients, or wait longer with --timeout"
        .formatted(path, seconds());
  }

  /** Why a question was not answered. */
  String of(ProbeException failure) {
    String question = failure.question();
    return switch (failure.getCause()) {
      case RemoteErrorException refusal when isBusy(refusal) ->
          "%s is in use by another client: end that one first (quit its QEMU, say), or probe before it starts"
              .formatted(path);
      case RemoteErrorException refusal ->
          "the server at %s refused %s with %s: its log may say why"
              .formatted(path, question, error(refusal));
      case SocketTimeoutException late ->
          "the server at %s did not answer %s in %s: if another client is connected, end that one first; if the server is slow, give more time with --timeout"
              .formatted(path, question, seconds());
      case EOFException end ->
          "the server at %s closed the connection instead of answering %s: it serves another client or speaks no vfio-user, and its log may say which"
              .formatted(path, question);
      case ProtocolException nonsense ->
          "the server at %s gave no valid answer to %s: %s; check that it is a vfio-user server for a PCI device, of a version that is not too new"
              .formatted(path, question, oneLine(nonsense.getMessage()));
      case LinuxException lost
          when lost.errno() == Errno.EPIPE || lost.errno() == Errno.ECONNRESET ->
          "the server at %s closed the connection before %s: it serves another client or speaks no vfio-user, and its log may say which"
              .formatted(path, question);
      default ->
          "asking the server at %s for %s failed: %s"
              .formatted(path, question, oneLine(failure.getCause().getMessage()));
    };
  }

  private static boolean isBusy(RemoteErrorException refusal) {
    return refusal.code() == Errno.EBUSY.code();
  }

  private static String error(RemoteErrorException refusal) {
    return Errno.of(refusal.code()).map(Errno::name).orElse("error " + refusal.code());
  }

  private String seconds() {
    return "%s s"
        .formatted(BigDecimal.valueOf(timeout.toMillis(), 3).stripTrailingZeros().toPlainString());
  }

  /** What a server sent may be in the message: no line of its own, no control characters. */
  private static String oneLine(String message) {
    String shown = String.valueOf(message).replaceAll("\\p{Cntrl}+", " ");
    return shown.length() <= 160 ? shown : shown.substring(0, 160) + "...";
  }
}
