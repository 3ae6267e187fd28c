package dev.peerbar.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class FileDescriptorTest {

  @Test
  void closeTakesEffectOnceAndIsFinal() throws Exception {
    FileDescriptor memory = SharedMemory.create("fd-close", 4096);
    assertThat(OpenDescriptors.memoryFiles("fd-close")).isEqualTo(1);

    memory.close();
    memory.close();

    assertThat(memory.isOpen()).isFalse();
    assertThat(OpenDescriptors.memoryFiles("fd-close")).isZero();
    assertThatThrownBy(memory::number).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(memory::duplicate)
        .isInstanceOfSatisfying(
            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EBADF));
  }

  @Test
  void duplicateIsTheSameFileWithALifeOfItsOwn() throws Exception {
    FileDescriptor memory = SharedMemory.create("fd-dup", 4096);
    try (FileDescriptor duplicate = memory.duplicate()) {
      assertThat(FileStatus.of(duplicate)).isEqualTo(FileStatus.of(memory));
      assertThat(OpenDescriptors.closedOnExec(duplicate)).isTrue();
      memory.close();
      assertThat(FileStatus.of(duplicate).size()).isEqualTo(4096);
    }
    assertThat(OpenDescriptors.memoryFiles("fd-dup")).isZero();
  }

  @Test
  void closeWaitsForNobodyButTakesEffectAfterTheLastCall() throws Exception {
    FileDescriptor memory = SharedMemory.create("fd-held", 4096);
    int number = memory.acquire("test");

    memory.close();
    assertThat(memory.isOpen()).isFalse();
    assertThat(OpenDescriptors.memoryFiles("fd-held")).isEqualTo(1);
    assertThat(Libc.fcntl(number, Libc.F_GETFL, 0)).isNotNegative();

    memory.release();
    assertThat(OpenDescriptors.memoryFiles("fd-held")).isZero();
  }

  @Test
  void refusesWhatIsNoDescriptor() {
    assertThatThrownBy(() -> FileDescriptor.adopt(-1)).isInstanceOf(IllegalArgumentException.class);
  }
}
