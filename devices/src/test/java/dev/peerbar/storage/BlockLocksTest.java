package dev.peerbar.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(300)
final class BlockLocksTest {
  private static final int BLOCK = Storage.ATOMIC_BLOCK;
  private static final long LIMIT_SECONDS = 120;

  private static final long ALL = 15L << 40;

  private final BlockLocks locks = new BlockLocks();

  private interface Locking {
    BlockLocks.Held lock();
  }

  /**
   * Another thread, which has to wait for what it wants: it waits when this returns. A lock that it
   * got would be its end.
   */
  private static Thread waits(Locking wanted) {
    Thread thread = new Thread(() -> wanted.lock().close());
    thread.start();
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
    while (thread.getState() != Thread.State.WAITING) {
      assertThat(thread.getState()).isNotEqualTo(Thread.State.TERMINATED);
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
    }
    return thread;
  }

  private static void end(Thread... threads) throws InterruptedException {
    for (Thread thread : threads) {
      assertThat(thread.join(Duration.ofSeconds(LIMIT_SECONDS))).isTrue();
    }
  }

  @Test
  void readersAreBesideEachOther() throws Exception {
    try (BlockLocks.Held _ = locks.toRead(0, ALL)) {
      other(() -> locks.toRead(BLOCK, BLOCK));
      other(() -> locks.toRead(0, ALL + BLOCK));
    }
  }

  @Test
  void whoMustNotWaitGetsNothingWhereOthersWould() throws Exception {
    try (BlockLocks.Held _ = locks.toRead(BLOCK, BLOCK)) {
      assertThat(locks.toWriteNow(2 * BLOCK - 1, 1)).isNull();
      BlockLocks.Held reading = locks.toReadNow(BLOCK, BLOCK);
      assertThat(reading).isNotNull();
      reading.close();
      BlockLocks.Held writing = locks.toWriteNow(2 * BLOCK, BLOCK);
      assertThat(writing).isNotNull();
      assertThat(locks.toReadNow(0, ALL)).isNull();
      writing.close();
    }
    try (BlockLocks.Held held = locks.toWriteNow(0, ALL)) {
      assertThat(held).as("those who got nothing have left nothing").isNotNull();
      assertThat(locks.toReadNow(0, 1)).isNull();
    }
    other(() -> locks.toWrite(0, ALL));
  }

  /** Gets what it wants, however slow the machine is. */
  private static void other(Locking wanted) throws Exception {
    CompletableFuture.runAsync(() -> wanted.lock().close(), command -> new Thread(command).start())
        .get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  @Test
  void aWriterIsAlone() throws Exception {
    Thread reader;
    Thread writer;
    Thread all;
    try (BlockLocks.Held _ = locks.toWrite(ALL - BLOCK, 2 * BLOCK)) {
      reader = waits(() -> locks.toRead(ALL - BLOCK, BLOCK));
      writer = waits(() -> locks.toWrite(ALL, BLOCK));
      other(() -> locks.toWrite(ALL / 2, BLOCK));
      all = waits(locks::everything);
    }
    end(reader, writer, all);
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
    Thread reader;
    Thread writer;
    try (BlockLocks.Held _ = locks.toWrite(512, 512)) {
      reader = waits(() -> locks.toRead(0, 512));
      writer = waits(() -> locks.toWrite(BLOCK - 512, 512));
      other(() -> locks.toWrite(BLOCK, 512));
    }
    end(reader, writer);
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
    Thread writer;
    Thread later;
    try (BlockLocks.Held _ = locks.toRead(0, BLOCK)) {
      writer = waits(() -> locks.toWrite(0, BLOCK));
      later = waits(() -> locks.toRead(0, BLOCK));
      other(() -> locks.toRead(BLOCK, BLOCK));
    }
    end(writer, later);
    other(locks::everything);
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
