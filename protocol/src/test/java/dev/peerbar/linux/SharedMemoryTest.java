package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.SharedMemory.Access;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class SharedMemoryTest {
  private static final long SIZE = 3 * 4096;

  @Test
  void nobodyCanResizeIt() throws Exception {
    try (FileDescriptor memory = SharedMemory.create("shm-seal", SIZE)) {
      assertThat(SharedMemory.sealedAgainstShrinking(memory)).isTrue();
      assertThat(FileStatus.of(memory).size()).isEqualTo(SIZE);
      assertThat(OpenDescriptors.closedOnExec(memory)).isTrue();
      try (RandomAccessFile other =
          new RandomAccessFile("/proc/self/fd/" + memory.number(), "rw")) {
        assertThatThrownBy(() -> other.setLength(SIZE - 4096)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> other.setLength(SIZE + 4096)).isInstanceOf(IOException.class);
      }
      assertThat(Libc.fcntl(memory.number(), Libc.F_ADD_SEALS, 8)).isEqualTo(-1);
      assertThat(Libc.errno()).isEqualTo(Errno.EPERM.code());
    }
  }

  @Test
  void mappingsOfOneFileShareItsBytes() throws Exception {
    FileDescriptor memory = SharedMemory.create("shm-map", SIZE);
    try (Mapping whole = SharedMemory.map(memory, 0, SIZE, Access.READ_WRITE);
        Mapping second = SharedMemory.map(memory, 4096, 8, Access.READ_ONLY)) {
      memory.close();
      whole.segment().set(JAVA_LONG, 4096, 0x1122334455667788L);
      assertThat(second.segment().get(JAVA_LONG, 0)).isEqualTo(0x1122334455667788L);
      assertThat(second.segment().isReadOnly()).isTrue();
      assertThat(second.segment().byteSize()).isEqualTo(8);
    }
  }

  @Test
  void closeUnmaps() throws Exception {
    try (FileDescriptor memory = SharedMemory.create("shm-unmap", SIZE)) {
      Mapping mapping = SharedMemory.map(memory, 0, SIZE, Access.READ_WRITE);
      assertThat(Files.readString(Path.of("/proc/self/maps"))).contains("/memfd:shm-unmap");
      mapping.close();
      mapping.close();
      assertThat(Files.readString(Path.of("/proc/self/maps"))).doesNotContain("/memfd:shm-unmap");
    }
  }

  @Test
  void tellsDataFromHoles() throws Exception {
    long size = 64L << 30;
    try (FileDescriptor memory = SharedMemory.create("shm-holes", size);
        Mapping middle = SharedMemory.map(memory, size / 2, 4096, Access.READ_WRITE)) {
      assertThat(FileContents.nextData(memory, 0)).isEmpty();
      assertThat(FileContents.nextHole(memory, 0)).hasValue(0);
      middle.segment().set(JAVA_LONG, 8, 1);
      // The page at least; a huge one where the kernel makes such.
      long data = FileContents.nextData(memory, 0).orElseThrow();
      assertThat(data).isBetween(size / 2 - (2 << 20), size / 2);
      long hole = FileContents.nextHole(memory, data).orElseThrow();
      assertThat(hole).isBetween(size / 2 + 4096, size / 2 + (2 << 20));
      assertThat(FileContents.nextData(memory, hole)).isEmpty();
      assertThat(FileContents.nextData(memory, size)).isEmpty();
      assertThat(FileContents.nextHole(memory, size)).isEmpty();
    }
  }

  @Test
  void mapSaysWhyNot() throws Exception {
    try (FileDescriptor memory = SharedMemory.create("shm-bad", SIZE)) {
      assertErrno(Errno.EINVAL, () -> SharedMemory.map(memory, 1, 4096, Access.READ_ONLY));
      assertErrno(Errno.EINVAL, () -> SharedMemory.map(memory, -4096, 4096, Access.READ_ONLY));
      assertErrno(Errno.EINVAL, () -> SharedMemory.map(memory, 0, 0, Access.READ_ONLY));
      assertErrno(Errno.EINVAL, () -> SharedMemory.create("shm-zero", 0));
    }
    try (FileDescriptor event = EventDescriptor.create()) {
      assertErrno(Errno.ENODEV, () -> SharedMemory.map(event, 0, 4096, Access.READ_ONLY));
      assertThat(SharedMemory.sealedAgainstShrinking(event)).isFalse();
    }
  }

  @Test
  void statusTellsFilesApart() throws Exception {
    try (FileDescriptor first = SharedMemory.create("shm-1", SIZE);
        FileDescriptor second = SharedMemory.create("shm-2", 2 * SIZE);
        FileDescriptor event = EventDescriptor.create();
        UnixSocket.Pair sockets = UnixSocket.pair()) {
      FileStatus status = FileStatus.of(first);
      assertThat(status.type()).isEqualTo(FileStatus.Type.REGULAR);
      assertThat(status.readable()).isTrue();
      assertThat(status.writable()).isTrue();
      assertThat(FileStatus.of(second).inode()).isNotEqualTo(status.inode());
      assertThat(FileStatus.of(second).size()).isEqualTo(2 * SIZE);
      assertThat(FileStatus.of(event).type()).isEqualTo(FileStatus.Type.OTHER);
      assertThat(FileStatus.of(sockets.first()).type()).isEqualTo(FileStatus.Type.SOCKET);
    }
  }

  private static void assertErrno(Errno errno, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(LinuxException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }
}
