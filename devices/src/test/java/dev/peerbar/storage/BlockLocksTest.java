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

  private static final long ALL = 15L << 40;

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
      other(() -> locks.toWrite(ALL / 2, BLOCK));
      assertThat(passes(locks::everything)).isFalse();
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
  void partsOfOneBlockMeet() throws Exception {
    try (BlockLocks.Held _ = locks.toWrite(512, 512)) {
      assertThat(passes(() -> locks.toRead(0, 512))).isFalse();
      assertThat(passes(() -> locks.toWrite(BLOCK - 512, 512))).isFalse();
      other(() -> locks.toWrite(BLOCK, 512));
    }
    try (BlockLocks.Held _ = locks.toWrite(0, BLOCK)) {
      other(() -> locks.toWrite(BLOCK, BLOCK));
    }
  }

  /** However long it is: nobody has to wait who wants other blocks. */
  @Test
  void aLongRangeIsNoMoreThanItself() throws Exception {
    try (BlockLocks.Held _ = locks.toWrite(BLOCK, ALL)) {
      for (long position = ALL + BLOCK; position < 2 * ALL; position += ALL / 100 & -BLOCK) {
        long at = position;
        other(() -> locks.toWrite(at, BLOCK));
      }
      other(() -> locks.toRead(0, BLOCK));
    }
  }

  /** Readers that come all the time hold no writer off: those behind it wait for it. */
  @Test
  void whoeverWaitsComesBeforeThoseThatCameLater() throws Exception {
    CompletableFuture<Void> writer;
    try (BlockLocks.Held _ = locks.toRead(0, BLOCK)) {
      Thread thread = new Thread(() -> locks.toWrite(0, BLOCK).close());
      thread.start();
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
      while (thread.getState() != Thread.State.WAITING) {
        assertThat(System.nanoTime()).isLessThan(deadline);
        Thread.onSpinWait();
      }
      assertThat(passes(() -> locks.toRead(0, BLOCK))).isFalse();
      other(() -> locks.toRead(BLOCK, BLOCK));
      writer = CompletableFuture.runAsync(() -> join(thread));
    }
    writer.get(LIMIT_SECONDS, TimeUnit.SECONDS);
    other(locks::everything);
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** Writers alone, readers without a writer, in every block of every range, by many threads. */
  @Test
  void noTwoMeet() throws Exception {
    int blocks = 128;
    AtomicInteger[] inside = new AtomicInteger[blocks];
    for (int i = 0; i < blocks; i++) {
      inside[i] = new AtomicInteger();
    }
    CompletableFuture<?>[] threads = new CompletableFuture<?>[4];
    for (int seed = 0; seed < threads.length; seed++) {
      RandomGenerator random = new Random(seed);
      threads[seed] =
          CompletableFuture.runAsync(
              () -> {
                for (int i = 0; i < 5000; i++) {
                  meet(inside, random);
                }
              },
              command -> new Thread(command).start());
    }
    CompletableFuture.allOf(threads).get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  /** A writer counts for as many readers as there can be, and more. */
  private void meet(AtomicInteger[] inside, RandomGenerator random) {
    int first = random.nextInt(inside.length);
    int count = 1 + random.nextInt(inside.length - first);
    boolean alone = random.nextBoolean();
    long position = (long) first * BLOCK;
    long length = (long) count * BLOCK;
    try (BlockLocks.Held _ =
        alone ? locks.toWrite(position, length) : locks.toRead(position, length)) {
      int weight = alone ? 100 : 1;
      for (int block = first; block < first + count; block++) {
        int before = inside[block].getAndAdd(weight);
        assertThat(before).isLessThan(alone ? 1 : 100);
      }
      for (int block = first; block < first + count; block++) {
        inside[block].addAndGet(-weight);
      }
    }
  }
}
