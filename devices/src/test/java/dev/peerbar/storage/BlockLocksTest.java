package dev.peerbar.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class BlockLocksTest {
  private static final int BLOCK = Storage.ATOMIC_BLOCK;
  private static final long LIMIT_SECONDS = 30;

  /** The locks of 64 MiB: a range that is longer needs each of them once. */
  private static final long ALL = 64L << 20;

  private final BlockLocks locks = new BlockLocks();

  private interface Locking {
    BlockLocks.Held lock();
  }

  /** Whether another thread gets what it wants while this one holds what it has. */
  private static boolean passes(Locking wanted) throws Exception {
    CompletableFuture<Void> other =
        CompletableFuture.runAsync(
            () -> wanted.lock().close(), command -> new Thread(command).start());
    try {
      other.get(100, TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    }
  }

  @Test
  void readersAreBesideEachOther() throws Exception {
    try (BlockLocks.Held _ = locks.toRead(0, ALL)) {
      other(() -> locks.toRead(BLOCK, BLOCK));
      other(() -> locks.toRead(0, ALL + BLOCK));
    }
  }

  /** Gets what it wants, however slow the machine is. */
  private static void other(Locking wanted) throws Exception {
    CompletableFuture.runAsync(() -> wanted.lock().close(), command -> new Thread(command).start())
        .get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  @Test
  void aWriterIsAlone() throws Exception {
    try (BlockLocks.Held _ = locks.toWrite(ALL - BLOCK, 2 * BLOCK)) {
      assertThat(passes(() -> locks.toRead(ALL - BLOCK, BLOCK))).isFalse();
      assertThat(passes(() -> locks.toWrite(ALL, BLOCK))).isFalse();
      assertThat(passes(locks::everything)).isFalse();
      other(() -> locks.toWrite(ALL / 2, BLOCK));
    }
    other(locks::everything);
  }

  @Test
  void emptyRangesLockNothing() throws Exception {
    try (BlockLocks.Held _ = locks.everything()) {
      other(() -> locks.toWrite(BLOCK, 0));
    }
  }

  @Test
  void rangesThatWrapAroundDoNotWaitForEachOther() throws Exception {
    AtomicInteger[] writers = new AtomicInteger[(int) (ALL / BLOCK)];
    for (int i = 0; i < writers.length; i++) {
      writers[i] = new AtomicInteger();
    }
    CompletableFuture<?>[] threads = new CompletableFuture<?>[4];
    for (int seed = 0; seed < threads.length; seed++) {
      RandomGenerator random = new Random(seed);
      threads[seed] =
          CompletableFuture.runAsync(
              () -> {
                for (int i = 0; i < 2000; i++) {
                  int first = random.nextInt(writers.length);
                  int count = 1 + random.nextInt(i % 50 == 0 ? writers.length : 64);
                  try (BlockLocks.Held _ =
                      locks.toWrite((long) first * BLOCK, (long) count * BLOCK)) {
                    // Only a range that is longer than all locks meets itself.
                    for (int block = 0; block < count; block++) {
                      assertThat(writers[(first + block) % writers.length].incrementAndGet())
                          .isOne();
                    }
                    for (int block = 0; block < count; block++) {
                      writers[(first + block) % writers.length].decrementAndGet();
                    }
                  }
                }
              },
              command -> new Thread(command).start());
    }
    CompletableFuture.allOf(threads).get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }
}
