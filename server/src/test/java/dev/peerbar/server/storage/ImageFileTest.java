package dev.peerbar.server.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileContents;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileLocks;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import dev.peerbar.storage.StorageException.Kind;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that are refused, shortened, full or broken; and what a flush promises. */
@Timeout(60)
final class ImageFileTest {
  private static final int BLOCK = Storage.ATOMIC_BLOCK;
  private static final int SIZE = 4 << 20;
  private static final long LIMIT_SECONDS = 30;

  @TempDir private Path directory;

  private Path image(long size) throws IOException {
    Path path = directory.resolve("image.raw");
    resize(path, size);
    return path;
  }

  private static void resize(Path path, long size) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
    }
  }

  private static MemorySegment ones(int length) {
    return MemorySegment.ofArray(new byte[length]).fill((byte) 1);
  }

  private static void fails(Kind kind, String what, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(StorageException.class, e -> assertThat(e.kind()).isEqualTo(kind))
        .hasMessageContaining(what);
  }

  private static void refused(Path path, String why) {
    assertThatThrownBy(() -> ImageFile.open(path))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(path.toString())
        .hasMessageContaining(why);
  }

  @Test
  void whatIsNoImageIsRefused() throws Exception {
    refused(directory.resolve("none"), "there is no image");
    refused(directory, "is a directory");
    refused(Path.of("/dev/zero"), "neither a file nor a block device");
    refused(Files.createFile(directory.resolve("empty")), "is empty");
    refused(image(SIZE + 1), "no multiple of 512");
  }

  /** 15 TiB of nothing: as few calls of the system as that takes, and no byte of it touched. */
  @Test
  void aLargeImageIsDiscardedInFewSteps() throws Exception {
    long size = 15L << 40;
    Path path = image(size);
    try (ImageFile image = ImageFile.open(path)) {
      image.write(size - BLOCK, ones(BLOCK), false);
      int steps = 0;
      for (long done = 512; done < size; steps++) {
        done += image.discard(done, size - done);
      }
      assertThat(steps).isLessThan(100_000);
      assertThat(allocated(path)).isLessThanOrEqualTo(BLOCK);
    }
  }

  /** A file that nobody may write, not even root; where /sys is read-only, that is the reason. */
  @Test
  void anImageThatCannotBeWrittenIsRefused() {
    Path path = Path.of("/sys/kernel/uevent_seqnum");
    assertThatThrownBy(() -> ImageFile.open(path))
        .isInstanceOf(IOException.class)
        .hasMessageMatching(path + ".*(permission denied|file system is read-only)");
  }

  @Test
  void aSecondServerIsRefusedUntilTheFirstHasClosed() throws Exception {
    Path path = image(SIZE);
    try (ImageFile first = ImageFile.open(path)) {
      refused(path, "in use");
      first.write(0, ones(BLOCK), false);
    }
    ImageFile.open(path).close();
  }

  /** QEMU holds 100 + n for what it does, 200 + n for what nobody else may do. */
  @ParameterizedTest
  @ValueSource(longs = {101, 103, 200, 201})
  void anImageThatQemuUsesIsRefused(long locked) throws Exception {
    Path path = image(SIZE);
    try (FileDescriptor qemu = FileContents.open(path)) {
      assertThat(FileLocks.share(qemu, locked)).isTrue();
      refused(path, "in use");
    }
    ImageFile.open(path).close();
  }

  @Test
  void qemuSeesWhatIsDoneToTheImage() throws Exception {
    Path path = image(SIZE);
    try (ImageFile _ = ImageFile.open(path);
        FileDescriptor qemu = FileContents.open(path)) {
      assertThat(FileLocks.isLockedByOthers(qemu, 101)).as("it is written").isTrue();
      assertThat(FileLocks.isLockedByOthers(qemu, 201)).as("nobody else may write").isTrue();
      assertThat(FileLocks.isLockedByOthers(qemu, 203)).as("nobody may resize").isTrue();
      assertThat(FileLocks.isLockedByOthers(qemu, 200)).as("others may read").isFalse();
    }
  }

  @Test
  void discardAndDeallocateGiveDiskBlocksBack() throws Exception {
    Path path = image(SIZE);
    try (ImageFile image = ImageFile.open(path)) {
      assertThat(allocated(path)).isZero();
      image.write(0, ones(SIZE), true);
      assertThat(allocated(path)).isGreaterThanOrEqualTo(SIZE);
      discardAll(image, 0, SIZE / 2);
      assertThat(allocated(path)).isLessThanOrEqualTo(SIZE / 2 + BLOCK);
      zeroAll(image, SIZE / 2, SIZE / 4, false);
      assertThat(allocated(path)).isGreaterThanOrEqualTo(SIZE / 2);
      zeroAll(image, SIZE / 2, SIZE / 2, true);
      assertThat(allocated(path)).isLessThanOrEqualTo(BLOCK);
    }
    assertThat(Files.size(path)).isEqualTo(SIZE);
  }

  private static void discardAll(Storage image, long position, long length)
      throws StorageException {
    for (long done = 0; done < length; ) {
      done += image.discard(position + done, length - done);
    }
  }

  private static void zeroAll(Storage image, long position, long length, boolean deallocate)
      throws StorageException {
    for (long done = 0; done < length; ) {
      done += image.zero(position + done, length - done, deallocate);
    }
  }

  private static long allocated(Path path) throws IOException {
    try (FileDescriptor file = FileContents.open(path)) {
      return FileStatus.of(file).allocated();
    }
  }

  @Test
  void aShortenedFileIsAnErrorAndStaysShort() throws Exception {
    Path path = image(SIZE);
    try (ImageFile image = ImageFile.open(path)) {
      image.write(0, ones(SIZE), false);
      resize(path, SIZE / 2);
      image.read(0, ones(SIZE / 2));
      fails(Kind.READ_FAILED, "ends at", () -> image.read(SIZE / 2 - BLOCK, ones(2 * BLOCK)));
      fails(Kind.READ_FAILED, "ends at", () -> image.read(SIZE - BLOCK, ones(BLOCK)));
      fails(Kind.WRITE_FAILED, "ends at", () -> image.write(SIZE - BLOCK, ones(BLOCK), false));
      fails(Kind.WRITE_FAILED, "ends at", () -> image.write(0, ones(BLOCK), false));
      fails(Kind.WRITE_FAILED, "ends at", () -> image.zero(SIZE - BLOCK, BLOCK, false));
      fails(Kind.WRITE_FAILED, "ends at", image::flush);
      discardAll(image, 0, SIZE);
      assertThat(Files.size(path)).isEqualTo(SIZE / 2);
    }
  }

  @Test
  void aFileThatHasGrownKeepsItsSizeHere() throws Exception {
    Path path = image(SIZE);
    try (ImageFile image = ImageFile.open(path)) {
      resize(path, 2 * SIZE);
      assertThat(image.size()).isEqualTo(SIZE);
      assertThatThrownBy(() -> image.read(SIZE, ones(BLOCK)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      image.write(SIZE - BLOCK, ones(BLOCK), true);
    }
  }

  @Test
  void aClosedImageRefuses() throws Exception {
    ImageFile image = ImageFile.open(image(SIZE));
    image.close();
    image.close();
    assertThatThrownBy(() -> image.read(0, ones(BLOCK))).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(image::flush).isInstanceOf(IllegalStateException.class);
  }

  // What a disk says, and what becomes of it.

  private final MemoryFile file = new MemoryFile(SIZE, true);
  private final ImageFile image = ImageFile.over("image", file, SIZE, true);

  @ParameterizedTest
  @EnumSource(
      value = Errno.class,
      names = {"ENOSPC", "EDQUOT", "EFBIG"})
  void aFullDiskIsFullAndMayHaveRoomAgain(Errno errno) throws Exception {
    file.writeError = Optional.of(errno);
    fails(Kind.FULL, errno.name(), () -> image.write(0, ones(BLOCK), false));
    fails(Kind.FULL, errno.name(), () -> image.write(0, ones(BLOCK), true));
    fails(Kind.FULL, errno.name(), () -> image.zero(0, BLOCK, false));
    file.writeError = Optional.empty();
    image.write(0, ones(BLOCK), true);
    image.flush();
  }

  @Test
  void aFailingDiskSaysWhatFailed() throws Exception {
    file.writeError = Optional.of(Errno.EIO);
    fails(Kind.WRITE_FAILED, "EIO", () -> image.write(BLOCK, ones(BLOCK), false));
    file.readError = Optional.of(Errno.EIO);
    fails(Kind.READ_FAILED, "at 8192: pread: EIO", () -> image.read(2 * BLOCK, ones(BLOCK)));
  }

  @Test
  void whatWasFlushedIsStable() throws Exception {
    image.write(0, ones(BLOCK), false);
    image.flush();
    image.write(BLOCK, ones(BLOCK), true);
    image.zero(0, 512, false);
    image.flush();
    image.write(2 * BLOCK, ones(BLOCK), false);
    file.losePower();
    byte[] read = new byte[3 * BLOCK];
    image.read(0, MemorySegment.ofArray(read));
    byte[] expected = ones(3 * BLOCK).toArray(ValueLayout.JAVA_BYTE);
    MemorySegment.ofArray(expected).asSlice(0, 512).fill((byte) 0);
    MemorySegment.ofArray(expected).asSlice(2 * BLOCK).fill((byte) 0);
    assertThat(read).isEqualTo(expected);
  }

  @Test
  void aFlushWithNothingNewDoesNothingButTheFirst() throws Exception {
    image.flush();
    assertThat(file.syncs).as("what a process before this one wrote").isOne();
    image.flush();
    assertThat(file.syncs).isOne();
    image.write(0, ones(BLOCK), false);
    image.flush();
    assertThat(file.syncs).isEqualTo(2);
    image.discard(0, BLOCK);
    image.flush();
    assertThat(file.syncs).isEqualTo(3);
    image.zero(0, BLOCK, true);
    image.flush();
    assertThat(file.syncs).isEqualTo(4);
    file.writeError = Optional.of(Errno.ENOSPC);
    fails(Kind.FULL, "ENOSPC", () -> image.write(0, ones(BLOCK), false));
    image.flush();
    assertThat(file.syncs).as("a failed write may have written a part").isEqualTo(5);
  }

  @Test
  void lostWritesAreNeverForgotten() throws Exception {
    image.write(0, ones(BLOCK), false);
    file.syncError = Optional.of(Errno.EIO);
    fails(Kind.WRITE_FAILED, "may be lost (fdatasync: EIO)", image::flush);
    // The kernel would say that all is well from here on.
    fails(Kind.WRITE_FAILED, "may be lost (fdatasync: EIO)", image::flush);
    fails(Kind.WRITE_FAILED, "may be lost", () -> image.write(0, ones(BLOCK), true));
    image.write(0, ones(BLOCK), false);
    image.read(0, ones(BLOCK));
    assertThat(file.syncs).isOne();
  }

  @Test
  void writesLostByOneAreLostForWhoeverFlushesMeanwhile() throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch others = new CountDownLatch(1);
    file.syncError = Optional.of(Errno.ENOSPC);
    file.whileSyncing =
        () -> {
          begun.countDown();
          try {
            assertThat(others.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
          } catch (InterruptedException e) {
            throw new AssertionError(e);
          }
        };
    image.write(0, ones(BLOCK), false);
    CompletableFuture<Void> first = CompletableFuture.runAsync(this::flush);
    assertThat(begun.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    Thread second = Thread.currentThread();
    Thread.ofPlatform()
        .start(() -> {
          // Not before the second one waits for the first.
          while (second.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
          }
          others.countDown();
        });
    fails(Kind.WRITE_FAILED, "ENOSPC", image::flush);
    assertThatThrownBy(first::get).isInstanceOf(ExecutionException.class);
  }

  private void flush() {
    try {
      image.flush();
    } catch (StorageException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void whatCannotBeZeroedQuicklyIsWrittenAndNotTriedAgain() throws Exception {
    image.write(0, ones(SIZE), false);
    zeroAll(image, 512, SIZE - 512, false);
    zeroAll(image, 512, SIZE - 512, false);
    assertThat(file.zeroRanges).isOne();
    byte[] read = new byte[1024];
    image.read(0, MemorySegment.ofArray(read));
    assertThat(read[511]).isOne();
    assertThat(read[512]).isZero();
  }
}
