package dev.peerbar.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class UnixSocketTest {
  private static final Duration LONG = Duration.ofSeconds(20);

  @TempDir Path directory;

  @Test
  void listensConnectsAndAccepts() throws Exception {
    Path path = directory.resolve("s");
    try (FileDescriptor listening = UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 8)) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
          .isEqualTo("rw-------");
      assertThat(UnixSocket.isListening(listening)).isTrue();
      assertThat(UnixSocket.accept(listening)).isEmpty();
      try (FileDescriptor client = UnixSocket.connect(path, LONG);
          FileDescriptor accepted = UnixSocket.accept(listening).orElseThrow()) {
        assertThat(UnixSocket.isListening(accepted)).isFalse();
        assertThat(UnixSocket.isUnixStream(accepted)).isTrue();
        assertThat(OpenDescriptors.closedOnExec(listening)).isTrue();
        assertThat(OpenDescriptors.closedOnExec(client)).isTrue();
        assertThat(OpenDescriptors.closedOnExec(accepted)).isTrue();
        assertThat(UnixSocket.peerCredentials(accepted).pid())
            .isEqualTo((int) ProcessHandle.current().pid());
      }
    }
  }

  @Test
  void aWiderModeIsNotNarrowedByTheUmask() throws Exception {
    Path path = directory.resolve("wide");
    UnixSocket.listen(path, 0666, 1).close();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
        .isEqualTo("rw-rw-rw-");
  }

  @Test
  void aFinishedSocketEndsItsPeerWithoutAReset() throws Exception {
    try (UnixSocket.Pair pair = UnixSocket.pair();
        FileDescriptor event = EventDescriptor.create();
        Arena arena = Arena.ofConfined()) {
      SocketMessages messages = new SocketMessages();
      MemorySegment bytes = arena.allocate(100_000);
      messages.addBytes(bytes.address(), (int) bytes.byteSize());
      messages.addDescriptor(event);
      messages.send(pair.first());
      UnixSocket.finish(pair.second());
      pair.second().close();
      assertThat(messages.receive(pair.first(), bytes.address(), 16))
          .isEqualTo(SocketMessages.END_OF_STREAM);
    }
  }

  @Test
  void saysWhyNot() throws Exception {
    Path path = directory.resolve("s");
    assertErrno(Errno.ENOENT, () -> UnixSocket.connect(path, LONG));
    UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 1).close();
    assertErrno(Errno.ECONNREFUSED, () -> UnixSocket.connect(path, LONG));
    assertErrno(Errno.EADDRINUSE, () -> UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 1));
    Path tooLong = directory.resolve("x".repeat(108));
    assertErrno(Errno.ENAMETOOLONG, () -> UnixSocket.listen(tooLong, UnixSocket.OWNER_ONLY, 1));
    try (FileDescriptor memory = SharedMemory.create("no-socket", 4096)) {
      assertThat(UnixSocket.isUnixStream(memory)).isFalse();
      assertErrno(Errno.ENOTSOCK, () -> UnixSocket.isListening(memory));
    }
  }

  @Test
  void connectWaitsOnlyAsLongAsItMay() throws Exception {
    Path path = directory.resolve("busy");
    try (FileDescriptor listening = UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 0);
        FileDescriptor first = UnixSocket.connect(path, LONG)) {
      assertErrno(Errno.EAGAIN, () -> UnixSocket.connect(path, Duration.ofMillis(20)));
      assertThat(UnixSocket.accept(listening)).isPresent().get().satisfies(FileDescriptor::close);
      assertThat(first.isOpen()).isTrue();
    }
  }

  @Test
  void carriesAsManyDescriptorsAsLinuxAllows() throws Exception {
    List<FileDescriptor> sent = new ArrayList<>();
    try (UnixSocket.Pair pair = UnixSocket.pair();
        Arena arena = Arena.ofConfined()) {
      SocketMessages sender = new SocketMessages();
      for (int i = 0; i < SocketMessages.MAX_DESCRIPTORS; i++) {
        FileDescriptor memory = SharedMemory.create("many", (i + 1) * 4096L);
        sent.add(memory);
        sender.addDescriptor(memory);
      }
      MemorySegment bytes = arena.allocate(64);
      bytes.set(ValueLayout.JAVA_BYTE, 0, (byte) 42);
      sender.addBytes(bytes.address(), 1);
      assertThat(sender.send(pair.first())).isEqualTo(1);
      sent.forEach(FileDescriptor::close);

      SocketMessages receiver = new SocketMessages();
      assertThat(receiver.receive(pair.second(), bytes.address() + 32, 32)).isEqualTo(1);
      assertThat(bytes.get(ValueLayout.JAVA_BYTE, 32)).isEqualTo((byte) 42);
      assertThat(receiver.truncated()).isFalse();
      List<FileDescriptor> received = receiver.takeDescriptors();
      assertThat(received).hasSize(SocketMessages.MAX_DESCRIPTORS);
      for (int i = 0; i < received.size(); i++) {
        assertThat(FileStatus.of(received.get(i)).size()).isEqualTo((i + 1) * 4096L);
        assertThat(OpenDescriptors.closedOnExec(received.get(i))).isTrue();
      }
      received.forEach(FileDescriptor::close);
      assertThat(OpenDescriptors.memoryFiles("many")).isZero();
    }
  }

  @Test
  void aReceiveNeverMixesTheDescriptorsOfTwoSends() throws Exception {
    try (UnixSocket.Pair pair = UnixSocket.pair();
        Arena arena = Arena.ofConfined();
        FileDescriptor first = SharedMemory.create("mix-1", 4096);
        FileDescriptor second = SharedMemory.create("mix-2", 8192)) {
      SocketMessages messages = new SocketMessages();
      MemorySegment bytes = arena.allocate(64);
      sendOne(messages, pair.first(), bytes, null);
      sendOne(messages, pair.first(), bytes, first);
      sendOne(messages, pair.first(), bytes, second);
      sendOne(messages, pair.first(), bytes, null);

      // Bytes without descriptors come along with those after them, which end the receive.
      assertThat(messages.receive(pair.second(), bytes.address(), 64)).isEqualTo(2);
      assertThat(sizes(messages.takeDescriptors())).containsExactly(4096L);
      assertThat(messages.receive(pair.second(), bytes.address(), 64)).isEqualTo(1);
      assertThat(sizes(messages.takeDescriptors())).containsExactly(8192L);
      assertThat(messages.receive(pair.second(), bytes.address(), 64)).isEqualTo(1);
      assertThat(messages.takeDescriptors()).isEmpty();
      assertThat(messages.receive(pair.second(), bytes.address(), 64))
          .isEqualTo(SocketMessages.WOULD_BLOCK);
      pair.first().close();
      assertThat(messages.receive(pair.second(), bytes.address(), 64))
          .isEqualTo(SocketMessages.END_OF_STREAM);
      assertErrno(Errno.EPIPE, () -> sendOne(messages, pair.second(), bytes, null));
    }
  }

  @Test
  void sendingAClosedDescriptorSendsNothing() throws Exception {
    try (UnixSocket.Pair pair = UnixSocket.pair();
        Arena arena = Arena.ofConfined()) {
      FileDescriptor closed = SharedMemory.create("closed", 4096);
      closed.close();
      SocketMessages messages = new SocketMessages();
      MemorySegment bytes = arena.allocate(64);
      assertErrno(Errno.EBADF, () -> sendOne(messages, pair.first(), bytes, closed));
      sendOne(messages, pair.first(), bytes, null);
      assertThat(messages.receive(pair.second(), bytes.address(), 64)).isEqualTo(1);
    }
  }

  private static void sendOne(
      SocketMessages messages, FileDescriptor socket, MemorySegment bytes, FileDescriptor file)
      throws LinuxException {
    messages.addBytes(bytes.address(), 1);
    if (file != null) {
      messages.addDescriptor(file);
    }
    assertThat(messages.send(socket)).isEqualTo(1);
  }

  private static List<Long> sizes(List<FileDescriptor> files) throws LinuxException {
    List<Long> sizes = new ArrayList<>();
    for (FileDescriptor file : files) {
      sizes.add(FileStatus.of(file).size());
      file.close();
    }
    return sizes;
  }

  private static void assertErrno(Errno errno, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(LinuxException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }
}
