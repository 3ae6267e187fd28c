package dev.peerbar.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class KernelCopyTest {
  private static final long PAGE = 4096;

  @Test
  void copiesAsFarAsThereIsMemory() throws Exception {
    try (Arena arena = Arena.ofConfined();
        FileDescriptor file = resizable();
        Mapping mapping = SharedMemory.map(file, 0, 4 * PAGE, SharedMemory.Access.READ_WRITE)) {
      MemorySegment bytes = arena.allocate(4 * PAGE).fill((byte) 7);
      KernelCopy.copy(bytes, 1, mapping.segment(), 3, 2 * PAGE);
      assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, 2)).isZero();
      assertThat(mapping.segment().asSlice(3, 2 * PAGE).mismatch(bytes.asSlice(0, 2 * PAGE)))
          .isEqualTo(-1);
      assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, 3 + 2 * PAGE)).isZero();
      Libc.check("ftruncate", Libc.ftruncate(file.number(), 2 * PAGE));
      assertThatThrownBy(() -> KernelCopy.copy(bytes, 0, mapping.segment(), 0, 4 * PAGE))
          .isInstanceOfSatisfying(
              LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EFAULT));
      assertThat(mapping.segment().get(ValueLayout.JAVA_BYTE, 2 * PAGE - 1)).isEqualTo((byte) 7);
      assertThat(FileStatus.of(file).size()).isEqualTo(2 * PAGE);
    }
  }

  @Test
  void readsOfAFileFindOutToo() throws Exception {
    try (FileDescriptor source = SharedMemory.create("kernel-copy", 4 * PAGE);
        FileDescriptor file = resizable();
        Mapping mapping = SharedMemory.map(file, 0, 4 * PAGE, SharedMemory.Access.READ_WRITE)) {
      Libc.check("ftruncate", Libc.ftruncate(file.number(), PAGE));
      assertThatThrownBy(() -> FileContents.read(source, 0, mapping.segment(), PAGE, PAGE))
          .isInstanceOfSatisfying(
              LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EFAULT));
      assertThat(FileContents.read(source, 0, mapping.segment(), 0, PAGE)).isEqualTo(PAGE);
      assertThat(FileStatus.of(file).size()).isEqualTo(PAGE);
    }
  }

  @Test
  void writesNothingThatIsReadOnly() throws Exception {
    try (Arena arena = Arena.ofConfined();
        FileDescriptor file = resizable();
        Mapping mapping = SharedMemory.map(file, 0, PAGE, SharedMemory.Access.READ_ONLY)) {
      assertThatThrownBy(() -> KernelCopy.copy(arena.allocate(8), 0, mapping.segment(), 0, 8))
          .isInstanceOf(LinuxException.class);
      assertThatThrownBy(() -> KernelCopy.copy(arena.allocate(8), 4, arena.allocate(8), 0, 8))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  private static FileDescriptor resizable() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      FileDescriptor file =
          FileDescriptor.adopt(Libc.memfdCreate(arena.allocateFrom("kernel-copy"), 1));
      Libc.check("ftruncate", Libc.ftruncate(file.number(), 4 * PAGE));
      return file;
    }
  }
}
