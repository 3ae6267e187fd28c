package dev.peerbar.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class FileContentsTest {
  private static final int PAGE = 4096;

  @TempDir private Path directory;

  private Path file(int size) throws Exception {
    Path path = directory.resolve("file ü");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
    }
    return path;
  }

  @Test
  void opensReadsAndWrites() throws Exception {
    Path path = file(3 * PAGE);
    try (FileDescriptor file = FileContents.open(path);
        Arena arena = Arena.ofConfined()) {
      assertThat(OpenDescriptors.closedOnExec(file)).isTrue();
      assertThat(FileContents.length(file)).isEqualTo(3 * PAGE);
      FileContents.write(file, PAGE, arena.allocate(PAGE).fill((byte) 7));
      FileContents.write(file, 2 * PAGE, MemorySegment.ofArray(new byte[] {8}));
      FileContents.sync(file);
      byte[] read = new byte[2 * PAGE];
      assertThat(FileContents.read(file, 2 * PAGE - 1, MemorySegment.ofArray(read)))
          .as("as far as the file goes")
          .isEqualTo(PAGE + 1);
      assertThat(read[0]).isEqualTo((byte) 7);
      assertThat(read[1]).isEqualTo((byte) 8);
      assertThat(read[2]).isZero();
    }
    assertThat(Files.size(path)).isEqualTo(3 * PAGE);
  }

  @Test
  void readsWhatIsAtHand() throws Exception {
    try (FileDescriptor file = FileContents.open(file(3 * PAGE));
        Arena arena = Arena.ofConfined()) {
      MemorySegment written = arena.allocate(PAGE).fill((byte) 7);
      FileContents.write(file, PAGE, written);
      MemorySegment read = arena.allocate(PAGE);
      assumeThat(FileContents.readNow(file, PAGE, read))
          .as("this file system knows what it has in memory")
          .isTrue();
      assertThat(read.mismatch(written)).isEqualTo(-1);
      assertThat(FileContents.readNow(file, 3 * PAGE - 1, read)).as("not all of it").isFalse();
      assertThat(FileContents.readNow(file, PAGE, MemorySegment.ofArray(new byte[8])))
          .as("not native")
          .isFalse();
    }
  }

  @Test
  void saysWhatCannotBeOpened() {
    assertThatThrownBy(() -> FileContents.open(directory))
        .isInstanceOfSatisfying(
            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EISDIR));
    assertThatThrownBy(() -> FileContents.open(directory.resolve("none")))
        .isInstanceOfSatisfying(
            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
  }

  @Test
  void holesGiveRoomBackAndZeroedRangesKeepIt() throws Exception {
    try (FileDescriptor file = FileContents.open(file(2 * PAGE));
        Arena arena = Arena.ofConfined()) {
      assertThat(FileStatus.of(file).allocated()).isZero();
      FileContents.write(file, 0, arena.allocate(2 * PAGE).fill((byte) 1));
      FileContents.sync(file);
      FileContents.zeroRange(file, 0, PAGE);
      assertThat(FileStatus.of(file).allocated()).isGreaterThanOrEqualTo(2 * PAGE);
      FileContents.punchHole(file, 0, 2 * PAGE);
      assertThat(FileStatus.of(file).allocated()).isZero();
      MemorySegment read = arena.allocate(2 * PAGE);
      assertThat(FileContents.read(file, 0, read)).isEqualTo(2 * PAGE);
      assertThat(read.mismatch(arena.allocate(2 * PAGE))).isEqualTo(-1);
    }
  }

  @Test
  void locksBelongToOpenFilesAndGoWithThem() throws Exception {
    Path path = file(PAGE);
    FileDescriptor first = FileContents.open(path);
    try (FileDescriptor second = FileContents.open(path)) {
      assertThat(FileLocks.share(first, 100)).isTrue();
      assertThat(FileLocks.isLockedByOthers(first, 100)).as("its own").isFalse();
      assertThat(FileLocks.isLockedByOthers(second, 100)).isTrue();
      assertThat(FileLocks.isLockedByOthers(second, 101)).isFalse();
      assertThat(FileLocks.share(second, 100)).as("beside each other").isTrue();
      assertThat(FileLocks.isLockedByOthers(first, 100)).isTrue();
      first.close();
      assertThat(FileLocks.isLockedByOthers(second, 100)).isFalse();
    }
  }

  @Test
  void privateMemoryIsZerosUntilWrittenAndOnceGivenBack() throws Exception {
    long size = 64L << 30;
    try (Mapping memory = PrivateMemory.map(size)) {
      MemorySegment bytes = memory.segment();
      bytes.set(ValueLayout.JAVA_BYTE, size - 1, (byte) 1);
      bytes.asSlice(PAGE, 2 * PAGE).fill((byte) 2);
      assertThat(bytes.get(ValueLayout.JAVA_BYTE, size / 2)).isZero();
      PrivateMemory.giveBack(memory, PAGE, PAGE);
      assertThat(bytes.get(ValueLayout.JAVA_BYTE, 2 * PAGE - 1)).isZero();
      assertThat(bytes.get(ValueLayout.JAVA_BYTE, 2 * PAGE)).isEqualTo((byte) 2);
      assertThat(bytes.get(ValueLayout.JAVA_BYTE, size - 1)).isOne();
    }
    assertThatThrownBy(() -> PrivateMemory.map(0)).isInstanceOf(LinuxException.class);
  }
}
