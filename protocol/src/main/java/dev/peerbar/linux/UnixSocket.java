package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.function.IntUnaryOperator;

/** Stream sockets of the Unix domain (unix(7)). All are closed on exec. */
public final class UnixSocket {
  /** Only the owner's processes may connect. */
  public static final int OWNER_ONLY = 0600;

  private static final long DISCARDED_AT_ONCE = 64 << 10;

  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM = 1;
  private static final int SOCK_NONBLOCK = 0x800;
  private static final int O_NONBLOCK = 0x800;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SO_TYPE = 3;
  private static final int SO_SNDBUF = 7;
  private static final int SO_PEERCRED = 17;
  private static final int SO_SNDTIMEO_NEW = 67;
  private static final int SO_ACCEPTCONN = 30;
  private static final int SO_DOMAIN = 39;

  // struct sockaddr_un
  private static final long SUN_FAMILY = 0;
  private static final long SUN_PATH = 2;
  private static final int SUN_PATH_LENGTH = 108;

  /** Which directions of a connection end. */
  public enum Direction {
    READ(0),
    WRITE(1),
    BOTH(2);

    private final int how;

    Direction(int how) {
      this.how = how;
    }
  }

  /** Two connected sockets. */
  public record Pair(FileDescriptor first, FileDescriptor second) implements AutoCloseable {
    @Override
    public void close() {
      first.close();
      second.close();
    }
  }

  /**
   * Who was on the other end when the connection was made (SO_PEERCRED).
   *
   * @param pid the process, 0 if it is in another namespace
   * @param uid its effective user
   * @param gid its effective group
   */
  public record Credentials(int pid, int uid, int gid) {}

  private UnixSocket() {}

  /**
   * Creates a socket file and listens. The file never has more permissions than asked for, whatever
   * the umask; the listening socket does not block.
   *
   * @param mode permission bits of the socket file, {@link #OWNER_ONLY} for one
   * @param backlog how many connections may wait to be accepted
   * @throws LinuxException EADDRINUSE if the path exists, ENAMETOOLONG from 108 bytes on, and what
   *     bind(2) and listen(2) say
   */
  public static FileDescriptor listen(Path path, int mode, int backlog) throws IOException {
    FileDescriptor socket = create(SOCK_NONBLOCK);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = address(path, arena);
      // Linux gives the socket file the mode of the socket, less the umask, when it creates it.
      Libc.check("fchmod", Libc.fchmod(socket.number(), mode));
      int length = Math.toIntExact(address.byteSize());
      Libc.check("bind", Libc.bind(socket.number(), address, length));
      // What the umask took away comes back here; listen comes after, so nobody connects before.
      Files.setAttribute(path, "unix:mode", mode);
      Libc.check("listen", Libc.listen(socket.number(), backlog));
      return socket;
    } catch (IOException | RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  /**
   * Connects. The socket blocks.
   *
   * @param timeout how long to wait for room among those waiting to be accepted
   * @throws LinuxException ENOENT, ECONNREFUSED if nobody listens, EAGAIN if the time passed, and
   *     what connect(2) says
   */
  public static FileDescriptor connect(Path path, Duration timeout) throws LinuxException {
    FileDescriptor socket = create(0);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = address(path, arena);
      setSendTimeout(socket, timeout, arena);
      int length = Math.toIntExact(address.byteSize());
      Libc.check("connect", Libc.connect(socket.number(), address, length));
      setSendTimeout(socket, Duration.ZERO, arena);
      return socket;
    } catch (LinuxException | RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  private static FileDescriptor create(int flags) throws LinuxException {
    return FileDescriptor.adopt(
        Libc.check("socket", Libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)));
  }

  private static MemorySegment address(Path path, Arena arena) throws LinuxException {
    byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
    if (name.length >= SUN_PATH_LENGTH) {
      throw new LinuxException("bind", Errno.ENAMETOOLONG);
    }
    if (name.length == 0) {
      throw new LinuxException("bind", Errno.ENOENT);
    }
    MemorySegment address = arena.allocate(SUN_PATH + name.length + 1, Short.BYTES);
    address.set(JAVA_SHORT, SUN_FAMILY, (short) AF_UNIX);
    MemorySegment.copy(name, 0, address, JAVA_BYTE, SUN_PATH, name.length);
    return address;
  }

  private static void setSendTimeout(FileDescriptor socket, Duration timeout, Arena arena)
      throws LinuxException {
    MemorySegment value = arena.allocate(JAVA_LONG, 2);
    value.setAtIndex(JAVA_LONG, 0, timeout.toSeconds());
    value.setAtIndex(JAVA_LONG, 1, timeout.toNanosPart() / 1000);
    int length = Math.toIntExact(value.byteSize());
    Libc.check(
        "setsockopt", Libc.setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO_NEW, value, length));
  }

  /**
   * Accepts one connection, without waiting if the listening socket does not block. The new socket
   * does not block.
   *
   * @return empty if nobody waits
   * @throws LinuxException EMFILE, ENFILE, ECONNABORTED and what accept(2) says
   */
  public static Optional<FileDescriptor> accept(FileDescriptor listening) throws LinuxException {
    int number = listening.acquire("accept4");
    try {
      int accepted = Libc.accept4(number, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (accepted >= 0) {
        return Optional.of(FileDescriptor.adopt(accepted));
      }
      if (Libc.errno() == Errno.EAGAIN.code()) {
        return Optional.empty();
      }
      throw new LinuxException("accept4", Libc.errno());
    } finally {
      listening.release();
    }
  }

  /**
   * Two connected sockets that block.
   *
   * @throws LinuxException EMFILE, ENFILE
   */
  public static Pair pair() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment numbers = arena.allocate(JAVA_INT, 2);
      Libc.check("socketpair", Libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers));
      return new Pair(
          FileDescriptor.adopt(numbers.getAtIndex(JAVA_INT, 0)),
          FileDescriptor.adopt(numbers.getAtIndex(JAVA_INT, 1)));
    }
  }

  /**
   * Ends a direction of the connection for both processes; wakes threads that wait in it.
   *
   * @throws LinuxException ENOTCONN
   */
  public static void shutdown(FileDescriptor socket, Direction direction) throws LinuxException {
    int number = socket.acquire("shutdown");
    try {
      Libc.check("shutdown", Libc.shutdown(number, direction.how));
    } finally {
      socket.release();
    }
  }

  /**
   * Ends both directions and throws away what has been received, descriptors too. A socket that is
   * closed with something unread in it gives its peer ECONNRESET in place of an end, which QEMU's
   * vfio-user client does not survive.
   *
   * @throws LinuxException ENOTCONN
   */
  public static void finish(FileDescriptor socket) throws LinuxException {
    shutdown(socket, Direction.BOTH);
    int number = socket.acquire("read");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment nowhere = arena.allocate(DISCARDED_AT_ONCE);
      // Nothing more can come in, and what there is has an end: no read waits.
      long count;
      do {
        count = Libc.read(number, nowhere.address(), DISCARDED_AT_ONCE);
      } while (count > 0);
    } finally {
      socket.release();
    }
  }

  /**
   * Waits until a receive would not wait, for bytes, for an end or for an error.
   *
   * @return false if the time passed first
   */
  public static boolean awaitReadable(FileDescriptor socket, Duration timeout)
      throws LinuxException {
    int number = socket.acquire("poll");
    try {
      return Poll.await(number, Poll.POLLIN, timeout);
    } finally {
      socket.release();
    }
  }

  /**
   * Waits until a send would not wait.
   *
   * @return false if the time passed first
   */
  public static boolean awaitWritable(FileDescriptor socket, Duration timeout)
      throws LinuxException {
    int number = socket.acquire("poll");
    try {
      return Poll.await(number, Poll.POLLOUT, timeout);
    } finally {
      socket.release();
    }
  }

  /**
   * Whether the other end is closed, even if what it sent before is still to be received.
   *
   * @throws LinuxException EBADF
   */
  public static boolean hasHungUp(FileDescriptor socket) throws LinuxException {
    int number = socket.acquire("poll");
    try {
      return Poll.ready(number, (short) 0);
    } finally {
      socket.release();
    }
  }

  /** Whether the descriptor is a stream socket of the Unix domain, connected or not. */
  public static boolean isUnixStream(FileDescriptor file) throws LinuxException {
    try {
      return intOption(file, SO_DOMAIN) == AF_UNIX && intOption(file, SO_TYPE) == SOCK_STREAM;
    } catch (LinuxException e) {
      if (e.errno() == Errno.ENOTSOCK) {
        return false;
      }
      throw e;
    }
  }

  /**
   * Whether the socket listens for connections.
   *
   * @throws LinuxException ENOTSOCK, EBADF
   */
  public static boolean isListening(FileDescriptor socket) throws LinuxException {
    return intOption(socket, SO_ACCEPTCONN) != 0;
  }

  /**
   * Makes calls on the socket return instead of waiting. Holds for all descriptors of the open
   * file, those of other processes too.
   *
   * @throws LinuxException EBADF
   */
  public static void makeNonBlocking(FileDescriptor socket) throws LinuxException {
    changeFlags(socket, flags -> flags | O_NONBLOCK);
  }

  /**
   * Undoes {@link #makeNonBlocking}.
   *
   * @throws LinuxException EBADF
   */
  public static void makeBlocking(FileDescriptor socket) throws LinuxException {
    changeFlags(socket, flags -> flags & ~O_NONBLOCK);
  }

  private static void changeFlags(FileDescriptor socket, IntUnaryOperator change)
      throws LinuxException {
    int number = socket.acquire("fcntl");
    try {
      int flags = Libc.check("fcntl", Libc.fcntl(number, Libc.F_GETFL, 0));
      Libc.check("fcntl", Libc.fcntl(number, Libc.F_SETFL, change.applyAsInt(flags)));
    } finally {
      socket.release();
    }
  }

  /**
   * Who is on the other end.
   *
   * @throws LinuxException ENOTSOCK, EBADF
   */
  public static Credentials peerCredentials(FileDescriptor socket) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_INT, 3);
      option(socket, SO_PEERCRED, value, arena);
      return new Credentials(
          value.getAtIndex(JAVA_INT, 0),
          value.getAtIndex(JAVA_INT, 1),
          value.getAtIndex(JAVA_INT, 2));
    }
  }

  /**
   * How large the send buffer is, as Linux counts what is in it: with its own structures, which
   * take about as much again as small messages do. In bytes.
   *
   * @throws LinuxException ENOTSOCK, EBADF
   */
  public static int sendBuffer(FileDescriptor socket) throws LinuxException {
    return intOption(socket, SO_SNDBUF);
  }

  /**
   * Makes the send buffer larger or smaller. Linux doubles the size (socket(7), SO_SNDBUF), and
   * gives less than is wanted if net.core.wmem_max says so.
   *
   * @param bytes positive
   * @throws LinuxException ENOTSOCK, EBADF
   */
  public static void setSendBuffer(FileDescriptor socket, int bytes) throws LinuxException {
    int number = socket.acquire("setsockopt");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocateFrom(JAVA_INT, bytes);
      Libc.check(
          "setsockopt", Libc.setsockopt(number, SOL_SOCKET, SO_SNDBUF, value, Integer.BYTES));
    } finally {
      socket.release();
    }
  }

  private static int intOption(FileDescriptor socket, int option) throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(JAVA_INT);
      option(socket, option, value, arena);
      return value.get(JAVA_INT, 0);
    }
  }

  private static void option(FileDescriptor socket, int option, MemorySegment value, Arena arena)
      throws LinuxException {
    MemorySegment length = arena.allocateFrom(JAVA_INT, Math.toIntExact(value.byteSize()));
    int number = socket.acquire("getsockopt");
    try {
      Libc.check("getsockopt", Libc.getsockopt(number, SOL_SOCKET, option, value, length));
    } finally {
      socket.release();
    }
  }
}
