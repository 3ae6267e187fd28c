package dev.peerbar.server.storage;

import dev.peerbar.storage.Storage;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Blocks that several threads change and read at once are never seen half changed. */
@Timeout(120)
final class WholeBlocksTest {
  private static final int BLOCK = Storage.ATOMIC_BLOCK;
  private static final int BLOCKS = 20;
  private static final long RUN_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** That those who read see, at least. */
  private static final long CHANGES = 10;

  @TempDir private Path directory;

  @Test
  void inMemory() throws Exception {
    try (Storage storage = HostMemory.storage(BLOCKS * BLOCK)) {
      holds(storage);
    }
  }

  @Test
  void inAnImage() throws Exception {
    Path path = directory.resolve("image");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(BLOCKS * BLOCK);
    }
    try (Storage storage = ImageFile.open(path)) {
      holds(storage);
    }
  }

  /** Two who write, one who discards and zeroes, two who read. */
  private static void holds(Storage storage) throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    AtomicLong changesSeen = new AtomicLong();
    List<Callable<Void>> work = new ArrayList<>();
    for (long writer = 1; writer <= 2; writer++) {
      long sign = writer << 32;
      work.add(() -> write(storage, sign, over));
      work.add(() -> read(storage, changesSeen, over));
    }
    work.add(() -> clear(storage, over));
    try (ExecutorService threads = Executors.newCachedThreadPool()) {
      List<Future<Void>> running = work.stream().map(threads::submit).toList();
      long end = System.nanoTime() + RUN_NANOS;
      // However slow the machine is, until those who read have seen the others' work.
      while ((System.nanoTime() < end || changesSeen.get() < CHANGES)
          && running.stream().noneMatch(Future::isDone)) {
        TimeUnit.MILLISECONDS.sleep(10);
      }
      over.set(true);
      for (Future<Void> each : running) {
        each.get();
      }
    }
  }

  private static Void write(Storage storage, long sign, AtomicBoolean over) throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(BLOCKS * BLOCK, Long.BYTES);
      for (int turn = 0; !over.get(); turn++) {
        for (long at = 0; at < data.byteSize(); at += Long.BYTES) {
          data.set(ValueLayout.JAVA_LONG, at, sign | turn);
        }
        storage.write(0, data, turn % 64 == 0);
      }
    }
    return null;
  }

  private static Void clear(Storage storage, AtomicBoolean over) throws Exception {
    for (int turn = 0; !over.get(); turn++) {
      storage.discard(0, BLOCKS * BLOCK);
      storage.zero(0, BLOCKS * BLOCK, turn % 2 == 0);
    }
    return null;
  }

  private static Void read(Storage storage, AtomicLong changesSeen, AtomicBoolean over)
      throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(BLOCKS * BLOCK, Long.BYTES);
      long before = 0;
      while (!over.get()) {
        storage.read(0, data);
        for (long block = 0; block < data.byteSize(); block += BLOCK) {
          long first = data.get(ValueLayout.JAVA_LONG, block);
          for (long at = block; at < block + BLOCK; at += Long.BYTES) {
            if (data.get(ValueLayout.JAVA_LONG, at) != first) {
              over.set(true);
              throw new AssertionError("a block is torn at byte " + (at - block));
            }
          }
        }
        long now = data.get(ValueLayout.JAVA_LONG, 0);
        if (now != before) {
          changesSeen.incrementAndGet();
          before = now;
        }
      }
    }
    return null;
  }
}
