package dev.peerbar.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.FileSystem.Kind;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class FileSystemTest {

  /** The numbers are those of linux/magic.h, and of hugetlbfs. */
  @Test
  void tellsFileSystemsApart() {
    assertThat(Kind.of(0x01021994)).as("tmpfs").isEqualTo(Kind.MEMORY);
    assertThat(Kind.of(0x858458f6L)).as("ramfs").isEqualTo(Kind.MEMORY);
    assertThat(Kind.of(0x958458f6L)).as("hugetlbfs").isEqualTo(Kind.HUGE_PAGES);
    assertThat(Kind.of(0xef53)).as("ext4").isEqualTo(Kind.DISK);
    assertThat(Kind.of(0x58465342)).as("XFS").isEqualTo(Kind.DISK);
    assertThat(Kind.of(0x9123683eL)).as("Btrfs").isEqualTo(Kind.DISK);
    assertThat(Kind.of(0xf2f52010L)).as("F2FS").isEqualTo(Kind.DISK);
    assertThat(Kind.of(0x444d4142)).as("DMABUF").isEqualTo(Kind.DMABUF);
    assertThat(Kind.of(0x65735546)).as("FUSE").isEqualTo(Kind.OTHER);
    assertThat(Kind.of(0x6969)).as("NFS").isEqualTo(Kind.OTHER);
    assertThat(Kind.of(0x794c7630)).as("overlayfs").isEqualTo(Kind.OTHER);
    assertThat(Kind.of(0x5345434d)).as("secretmem").isEqualTo(Kind.OTHER);
  }

  @Test
  void asksTheKernel() throws Exception {
    try (FileDescriptor memory = SharedMemory.create("file-system", 4096);
        FileDescriptor huge = SharedMemory.createOfHugePages("file-system", 0)) {
      assertThat(FileSystem.of(memory).kind()).isEqualTo(Kind.MEMORY);
      assertThat(FileSystem.of(huge).kind()).isEqualTo(Kind.HUGE_PAGES);
      assertThat(FileSystem.of(huge).blockSize()).isGreaterThan(4096);
    }
    try (FileDescriptor file = FileContents.open(Path.of("/dev/null"))) {
      assertThat(FileSystem.of(file).blockSize()).isPositive();
    }
  }
}
