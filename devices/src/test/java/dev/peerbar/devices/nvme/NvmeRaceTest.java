package dev.peerbar.devices.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.drive.NvmeDriver;
import dev.peerbar.devices.nvme.drive.QueuePair;
import dev.peerbar.devices.nvme.drive.TestStorage;
import dev.peerbar.devices.nvme.drive.ThreadedMachine;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The controller on real threads: what must hold however they meet. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
final class NvmeRaceTest {
  private static final int LBA = 512;
  private static final int QUEUES = 4;

  /** As many as Linux has under way in a queue when it discards a large disk. */
  private static final int LONG_COMMANDS = 1000;

  private final TestStorage storage = new TestStorage(4 << 20);
  private final ThreadedMachine machine =
      new ThreadedMachine(
          new NvmeEndpoint(
              new NvmeConfig(LBA, 1 << 20, QUEUES, DoorbellMode.TRAP, "TEST"), storage));
  private final NvmeDriver driver = new NvmeDriver(machine);

  @AfterEach
  void nothingFailed() {
    machine.close();
    assertThat(machine.failures()).isEmpty();
  }

  private QueuePair[] pairs(int entries) {
    QueuePair[] pairs = new QueuePair[QUEUES];
    for (int i = 0; i < QUEUES; i++) {
      pairs[i] = driver.createPair(i + 1, entries);
    }
    return pairs;
  }

  private static void onThreads(List<Callable<Void>> work) throws Exception {
    try (ExecutorService threads = Executors.newCachedThreadPool()) {
      List<Future<Void>> futures = new ArrayList<>();
      for (Callable<Void> each : work) {
        futures.add(threads.submit(each));
      }
      for (Future<Void> future : futures) {
        future.get(4, TimeUnit.MINUTES);
      }
    }
  }

  /** Commands of all depths on all queues at once, each queue with blocks of its own. */
  @ParameterizedTest
  @CsvSource({"0, false", "4, false", "4, true", "0, true", "2, false", "2, true"})
  void everyCommandCompletesOnceWithItsData(int shadowed, boolean pin) throws Exception {
    if (!pin) {
      machine.enableMsix();
    }
    driver.enable();
    if (shadowed > 0) {
      driver.useShadowDoorbells();
    }
    QueuePair[] pairs = pairs(32);
    for (int i = shadowed; i < QUEUES; i++) {
      // Not of the driver that has shadows: it rings registers alone.
      pairs[i].shadow(null, null);
    }
    long[] buffers = new long[QUEUES];
    for (int i = 0; i < QUEUES; i++) {
      buffers[i] = driver.allocate(32 * NvmeDriver.PAGE);
    }
    // Engines lose their processor where it hurts: between two stores.
    machine.beforeWrite(_ -> {
      ThreadLocalRandom random = ThreadLocalRandom.current();
      if (random.nextInt(32) == 0) {
        spin(random.nextInt(50_000));
      }
    });
    List<Callable<Void>> work = new ArrayList<>();
    for (int i = 0; i < QUEUES; i++) {
      int index = i;
      work.add(() -> {
        hammer(pairs[index], buffers[index], index * 1000L, 1500, index);
        return null;
      });
    }
    onThreads(work);
  }

  /** Writes a block, reads it back into another page, over and over, many at a time. */
  private void hammer(QueuePair pair, long buffers, long firstLba, int rounds, long seed) {
    Random random = new Random(seed);
    for (int round = 0; round < rounds; round++) {
      int depth = 1 + random.nextInt(random.nextInt(8) == 0 ? 31 : 3);
      IoOpcode opcode = round % 2 == 0 ? IoOpcode.WRITE : IoOpcode.READ;
      Map<Integer, Integer> sent = new HashMap<>();
      for (int i = 0; i < depth; i++) {
        long page = buffers + (long) i * NvmeDriver.PAGE;
        if (opcode == IoOpcode.WRITE) {
          driver.memory(page, 8).set(ValueLayout.JAVA_LONG, 0, round * 100L + i);
        }
        int commandId = round * 32 + i & 0xffff;
        sent.put(commandId, i);
        pair.put(
            SubmissionEntry.builder(opcode)
                .commandId(commandId)
                .namespaceId(1)
                .prp1(page)
                .qword(10, firstLba + i)
                .build());
        if (random.nextInt(4) == 0) {
          pair.ring();
        }
      }
      pair.ring();
      for (int i = 0; i < depth; i++) {
        CompletionEntry completion = pair.await();
        assertThat(completion.status()).isEqualTo(Status.SUCCESS);
        assertThat(completion.dword0()).isZero();
        assertThat(sent.remove(completion.commandId())).isNotNull();
      }
      if (random.nextInt(8) == 0) {
        // Let the workers go idle.
        LockSupport.parkNanos(random.nextInt(200_000));
      }
    }
    assertThat(pair.poll()).isEmpty();
  }

  /** A doorbell that goes around between two looks has moved too. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void theSmallestQueuesLoseNothing(boolean pin) throws Exception {
    if (!pin) {
      machine.enableMsix();
    }
    driver.enable().useShadowDoorbells();
    QueuePair admin = driver.adminQueue();
    QueuePair[] pairs = pairs(2);
    pairs[3].shadow(null, null);
    long buffer = driver.allocate(NvmeDriver.PAGE);
    List<Callable<Void>> work = new ArrayList<>();
    for (QueuePair pair : pairs) {
      work.add(() -> {
        for (int i = 0; i < 5_000; i++) {
          SubmissionEntry read =
              SubmissionEntry.builder(IoOpcode.READ)
                  .commandId(i)
                  .namespaceId(1)
                  .prp1(buffer)
                  .build();
          assertThat(pair.run(read).commandId()).isEqualTo(i);
        }
        return null;
      });
    }
    onThreads(work);
    assertThat(admin.poll()).isEmpty();
  }

  /** Whoever sets shadows up waits for a poll that waits for the host, without a processor. */
  @Test
  void aSetUpWaitsAsleep() throws Exception {
    machine.enableMsix();
    driver.enable().useShadowDoorbells();
    QueuePair pair = driver.createPair(1, 8);
    CountDownLatch polls = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    long shadow = driver.eventIdx() - NvmeDriver.PAGE;
    machine.beforeRead(iova -> {
      if (iova == shadow && Thread.currentThread().getName().startsWith("io-")) {
        polls.countDown();
        await(go);
      }
    });
    long buffer = driver.allocate(NvmeDriver.PAGE);
    pair.put(driver.io(IoOpcode.READ, 0, 1, buffer).build());
    pair.ring();
    await(polls);
    QueuePair admin = driver.adminQueue();
    admin.put(
        NvmeDriver.createCompletionQueue(2, 8, driver.allocate(NvmeDriver.PAGE))
            .commandId(7)
            .build());
    admin.ring();
    Thread engine = machine.engineThread("admin");
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (engine.getState() != Thread.State.WAITING || !isInSetUp(engine)) {
      assertThat(System.nanoTime()).as("asleep before this").isLessThan(deadline);
    }
    go.countDown();
    assertThat(admin.await().commandId()).isEqualTo(7);
    assertThat(pair.await().status()).isEqualTo(Status.SUCCESS);
  }

  private static boolean isInSetUp(Thread engine) {
    return Arrays.stream(engine.getStackTrace())
        .anyMatch(frame -> frame.getMethodName().equals("beginSetUp"));
  }

  /** The life ends while somebody waits to set shadows up: that ends too. */
  @Test
  void aSetUpThatWaitsEndsWithItsLife() throws Exception {
    machine.enableMsix();
    driver.enable().useShadowDoorbells();
    QueuePair pair = driver.createPair(1, 8);
    CountDownLatch polls = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    long shadow = driver.eventIdx() - NvmeDriver.PAGE;
    machine.beforeRead(iova -> {
      if (iova == shadow && Thread.currentThread().getName().startsWith("io-")) {
        polls.countDown();
        await(go);
      }
    });
    pair.put(driver.io(IoOpcode.FLUSH, 0, 1, 0).build());
    pair.ring();
    await(polls);
    QueuePair admin = driver.adminQueue();
    admin.put(
        NvmeDriver.createCompletionQueue(2, 8, driver.allocate(NvmeDriver.PAGE))
            .commandId(7)
            .build());
    admin.ring();
    Thread engine = machine.engineThread("admin");
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (!isInSetUp(engine)) {
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
    driver.disable();
    while (isInSetUp(engine)) {
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
    go.countDown();
    driver.enable();
    assertThat(driver.createPair(1, 8).run(driver.io(IoOpcode.FLUSH, 0, 1, 0).build()).status())
        .isEqualTo(Status.SUCCESS);
  }

  /** The window between a worker's last look and its going idle, hit again and again. */
  @Test
  void noShadowDoorbellIsLost() throws Exception {
    machine.enableMsix();
    driver.enable().useShadowDoorbells();
    QueuePair[] pairs = pairs(8);
    openTheWindow();
    long buffer = driver.allocate(NvmeDriver.PAGE);
    List<Callable<Void>> work = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      QueuePair pair = pairs[i];
      Random random = new Random(i);
      work.add(() -> {
        SubmissionEntry read =
            SubmissionEntry.builder(IoOpcode.READ).namespaceId(1).prp1(buffer).build();
        for (int round = 0; round < 3_000; round++) {
          pair.run(read);
          // About when the workers give up looking.
          LockSupport.parkNanos(900_000 + random.nextInt(300_000));
        }
        return null;
      });
    }
    onThreads(work);
  }

  /** Has the host look at EventIdx long after the endpoint last looked at its doorbells. */
  private void openTheWindow() {
    long eventIdx = driver.eventIdx();
    machine.beforeWrite(iova -> {
      if (iova >= eventIdx && iova < eventIdx + NvmeDriver.PAGE) {
        spin(20_000);
      }
    });
  }

  private static void spin(int nanos) {
    long until = System.nanoTime() + nanos;
    while (System.nanoTime() < until) {
      Thread.onSpinWait();
    }
  }

  /** The controller is disabled or reset with everything in flight, hundreds of times. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void nothingIsStoredAfterALife(boolean shadow) {
    machine.enableMsix();
    Random random = new Random(1);
    for (int life = 0; life < 300; life++) {
      driver.enable();
      if (shadow) {
        driver.useShadowDoorbells();
      }
      QueuePair[] pairs = pairs(32);
      long buffer = driver.allocate(32 * NvmeDriver.PAGE);
      for (QueuePair pair : pairs) {
        for (int i = 0; i < 31; i++) {
          long page = buffer + (long) i * NvmeDriver.PAGE;
          pair.put(driver.io(IoOpcode.READ, random.nextInt(100), 8, page).build());
        }
        pair.ring();
      }
      LockSupport.parkNanos(random.nextInt(300_000));
      int how = random.nextInt(4);
      if (how == 0) {
        driver.disable();
        assertThat(machine.read4(NvmeRegisters.CSTS)).isZero();
      } else {
        machine.reset(ResetKind.values()[how - 1]);
        machine.enableMsix();
      }
      long raised = machine.raised();
      byte[] before = driver.bytes(NvmeDriver.RAM, NvmeDriver.RAM_BYTES / 16);
      // The next life is ready once every engine has left the last one.
      machine.read4(NvmeRegisters.CSTS);
      driver.enableElsewhere();
      assertThat(driver.bytes(NvmeDriver.RAM, NvmeDriver.RAM_BYTES / 16)).isEqualTo(before);
      assertThat(machine.raised()).isEqualTo(raised);
      driver.disable();
    }
  }

  /** What a life has moved its data with the next one takes over. */
  @Test
  void resetsUnderLoadTakeNoMemory() throws Exception {
    int lives = 1000;
    machine.enableMsix();
    Random random = new Random(4);
    long before = 0;
    for (int life = 0; life < lives; life++) {
      if (life == lives / 10) {
        before = resident();
      }
      driver.enable();
      QueuePair[] pairs = pairs(32);
      long buffer = driver.allocate(32 * NvmeDriver.PAGE);
      for (QueuePair pair : pairs) {
        for (int i = 0; i < 31; i++) {
          long page = buffer + (long) i * NvmeDriver.PAGE;
          pair.put(driver.io(IoOpcode.COMPARE, random.nextInt(100), 8, page).build());
        }
        pair.ring();
      }
      LockSupport.parkNanos(random.nextInt(100_000));
      machine.reset(ResetKind.values()[random.nextInt(3)]);
      machine.enableMsix();
    }
    System.out.printf(
        "resident after %d resets under load: %d KiB, after %d: %d KiB; %d places lent%n",
        lives / 10, before, lives, resident(), machine.lent().size());
    assertThat(machine.lent()).hasSizeLessThan(100);
  }

  /** In KiB. */
  private static long resident() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }

  /** A life ends while storage is stuck; the next is not ready before that has come back. */
  @Test
  void aLifeBeginsOnceStorageHasLeftTheLast() throws Exception {
    driver.enable();
    QueuePair pair = driver.createPair(1, 16);
    CountDownLatch stuck = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(what -> {
      stuck.countDown();
      await(go);
    });
    pair.put(driver.io(IoOpcode.WRITE, 0, 1, driver.allocate(NvmeDriver.PAGE)).build());
    pair.ring();
    assertThat(stuck.await(1, TimeUnit.MINUTES)).isTrue();
    driver.disable();
    // A reset waits for nobody.
    assertThat(machine.read4(NvmeRegisters.CSTS)).isZero();
    machine.write4(NvmeRegisters.CC, 0x460001);
    for (int i = 0; i < 10_000; i++) {
      assertThat(machine.read4(NvmeRegisters.CSTS)).isZero();
    }
    storage.before(_ -> {});
    go.countDown();
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (machine.read4(NvmeRegisters.CSTS) != NvmeRegisters.CSTS_RDY) {
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
    assertThat(storage.calls()).hasSize(1);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(1, TimeUnit.MINUTES)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** What waits for storage holds up neither the commands fetched with it nor later ones. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void slowCommandsHoldNobodyUp(boolean shadow) {
    storage.mayWait(true);
    driver.enable();
    if (shadow) {
      driver.useShadowDoorbells();
    }
    QueuePair pair = driver.createPair(1, 64);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(what -> {
      if (what.equals("flush")) {
        await(go);
      }
    });
    long buffer = driver.allocate(NvmeDriver.PAGE);
    Set<Integer> flushes = new HashSet<>();
    for (int i = 0; i < 3; i++) {
      SubmissionEntry flush = driver.io(IoOpcode.FLUSH, 0, 1, 0).build();
      flushes.add(flush.commandId());
      pair.put(flush);
      pair.put(driver.io(IoOpcode.READ, i, 1, buffer).build());
    }
    pair.ring();
    for (int i = 0; i < 3; i++) {
      assertThat(flushes).doesNotContain(pair.await().commandId());
    }
    for (int i = 0; i < 20; i++) {
      CompletionEntry completion = pair.run(driver.io(IoOpcode.READ, i, 1, buffer).build());
      assertThat(flushes).doesNotContain(completion.commandId());
    }
    go.countDown();
    for (int i = 0; i < 3; i++) {
      assertThat(flushes.remove(pair.await().commandId())).isTrue();
    }
  }

  /**
   * However many commands take long, of whatever kind, there is an engine for the others: of the
   * same queue, which was fetched with them, and of another.
   */
  @ParameterizedTest
  @CsvSource({
    "FLUSH, flush",
    "DATASET_MANAGEMENT, discard",
    "WRITE_ZEROES, zero",
    "VERIFY, +4096",
    "WRITE, durable"
  })
  void longCommandsLeaveAnEngineForOthers(IoOpcode opcode, String call) {
    storage.mayWait(true);
    driver.enable();
    QueuePair pair = driver.createPair(1, 1024);
    QueuePair other = driver.createPair(2, 8);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(what -> {
      if (what.contains(call)) {
        await(go);
      }
    });
    long ranges = driver.allocate(NvmeDriver.PAGE);
    driver.memory(ranges, 16).set(ValueLayout.JAVA_INT, 4, 8);
    long buffer = driver.allocate(NvmeDriver.PAGE);
    Set<Integer> slow = new HashSet<>();
    for (int i = 0; i < LONG_COMMANDS; i++) {
      SubmissionEntry.Builder command = driver.io(opcode, 8L * (i % 100), 8, ranges);
      SubmissionEntry longCommand =
          switch (opcode) {
            case DATASET_MANAGEMENT -> command.dword(10, 0).dword(11, 4).dword(12, 0).build();
            case WRITE -> command.dword(12, 1 << 30 | 7).build();
            default -> command.build();
          };
      slow.add(longCommand.commandId());
      pair.put(longCommand);
    }
    pair.put(driver.io(IoOpcode.READ, 0, 1, buffer).build());
    pair.ring();
    assertThat(slow).doesNotContain(pair.await().commandId());
    for (int i = 0; i < 20; i++) {
      assertThat(other.run(driver.io(IoOpcode.READ, i, 1, buffer).build()).status())
          .isEqualTo(Status.SUCCESS);
      assertThat(slow)
          .doesNotContain(pair.run(driver.io(IoOpcode.COMPARE, i, 1, buffer).build()).commandId());
    }
    go.countDown();
    for (int i = 0; i < LONG_COMMANDS; i++) {
      assertThat(slow.remove(pair.await().commandId())).isTrue();
    }
  }

  /** A queue may be deleted with commands put aside: they are aborted, whatever is stuck. */
  @Test
  void whatWaitsForLongCommandsIsAbortedWithItsQueue() {
    storage.mayWait(true);
    driver.enable();
    QueuePair stuck = driver.createPair(1, 64);
    QueuePair pair = driver.createPair(2, 512);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(_ -> await(go));
    for (int i = 0; i < 8; i++) {
      stuck.put(driver.io(IoOpcode.FLUSH, 0, 1, 0).build());
    }
    stuck.ring();
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (storage.waiting() < 4) {
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
    for (int i = 0; i < 500; i++) {
      pair.put(driver.io(IoOpcode.FLUSH, 0, 1, 0).build());
    }
    pair.ring();
    driver.need(driver.admin(NvmeDriver.deleteSubmissionQueue(2)));
    for (Optional<CompletionEntry> entry = pair.poll(); entry.isPresent(); entry = pair.poll()) {
      assertThat(entry.get().status()).isEqualTo(Status.COMMAND_ABORTED_DUE_TO_SQ_DELETION);
    }
    go.countDown();
    for (int i = 0; i < 8; i++) {
      assertThat(stuck.await().status()).isEqualTo(Status.SUCCESS);
    }
  }

  /** The window between a worker's last look and its going away with something slow. */
  @Test
  void noShadowDoorbellWaitsForASlowCommand() {
    machine.enableMsix();
    storage.mayWait(true);
    driver.enable().useShadowDoorbells();
    QueuePair pair = driver.createPair(1, 64);
    openTheWindow();
    AtomicReference<CountDownLatch> go = new AtomicReference<>();
    storage.before(what -> {
      if (what.equals("flush")) {
        await(go.get());
      }
    });
    Random random = new Random(3);
    long buffer = driver.allocate(NvmeDriver.PAGE);
    for (int round = 0; round < 1000; round++) {
      go.set(new CountDownLatch(1));
      SubmissionEntry flush = driver.io(IoOpcode.FLUSH, 0, 1, 0).build();
      pair.put(flush);
      pair.ring();
      spin(random.nextInt(60_000));
      SubmissionEntry read = driver.io(IoOpcode.READ, 0, 1, buffer).build();
      assertThat(pair.run(read).commandId()).isEqualTo(read.commandId());
      go.get().countDown();
      assertThat(pair.await().commandId()).isEqualTo(flush.commandId());
    }
  }

  /** A full completion queue holds its submission queue back, and only that. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void aFullCompletionQueueWaitsForItsHead(boolean shadow) {
    machine.enableMsix();
    driver.enable();
    if (shadow) {
      driver.useShadowDoorbells();
    }
    QueuePair narrow = driver.createPair(1, 64, 4, 0);
    QueuePair other = driver.createPair(2, 8);
    long buffer = driver.allocate(NvmeDriver.PAGE);
    for (int round = 0; round < 300; round++) {
      for (int i = 0; i < 20; i++) {
        narrow.put(driver.io(IoOpcode.READ, i, 1, buffer).build());
      }
      narrow.ring();
      for (int i = 0; i < 3; i++) {
        assertThat(awaitEntry(narrow).status()).isEqualTo(Status.SUCCESS);
      }
      // Three slots are all there are: the head has not moved.
      other.run(driver.io(IoOpcode.READ, 0, 1, buffer).build());
      assertThat(narrow.poll()).isEmpty();
      narrow.ringHead();
      for (int i = 0; i < 17; i++) {
        assertThat(narrow.await().status()).isEqualTo(Status.SUCCESS);
      }
    }
  }

  private CompletionEntry awaitEntry(QueuePair pair) {
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (true) {
      Optional<CompletionEntry> entry = pair.poll();
      if (entry.isPresent()) {
        return entry.get();
      }
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
  }

  /** Deleting a queue with commands in flight: all that complete do so before the deletion. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void aDeletedQueueIsQuiet(boolean shadow) {
    machine.enableMsix();
    driver.enable();
    if (shadow) {
      driver.useShadowDoorbells();
    }
    Random random = new Random(2);
    long buffer = driver.allocate(NvmeDriver.PAGE);
    for (int round = 0; round < 300; round++) {
      NvmeDriver.Mark mark = driver.mark();
      QueuePair pair = driver.createPair(1, 64);
      for (int i = 0; i < 60; i++) {
        pair.put(driver.io(IoOpcode.READ, i, 1, buffer).build());
      }
      pair.ring();
      LockSupport.parkNanos(random.nextInt(100_000));
      driver.need(driver.admin(NvmeDriver.deleteSubmissionQueue(1)));
      int completed = 0;
      for (Optional<CompletionEntry> entry = pair.poll(); entry.isPresent(); entry = pair.poll()) {
        assertThat(entry.get().status())
            .isIn(Status.SUCCESS, Status.COMMAND_ABORTED_DUE_TO_SQ_DELETION);
        completed++;
      }
      assertThat(completed).isLessThanOrEqualTo(60);
      driver.need(driver.admin(NvmeDriver.deleteCompletionQueue(1)));
      assertThat(pair.poll()).isEmpty();
      driver.release(mark);
    }
  }

  /** What storage throws, other than what it may, fails the command and nothing else. */
  @Test
  void anExceptionIsAnInternalError() {
    driver.enable();
    QueuePair pair = driver.createPair(1, 16);
    long buffer = driver.allocate(NvmeDriver.PAGE);
    List<Throwable> thrown = List.of(new IllegalStateException("broken"), new OutOfMemoryError());
    for (Throwable each : thrown) {
      storage.before(_ -> NvmeRaceTest.<RuntimeException>raise(each));
      assertThat(pair.run(driver.io(IoOpcode.READ, 0, 1, buffer).build()).status())
          .isEqualTo(Status.INTERNAL_ERROR);
    }
    storage.before(_ -> {});
    assertThat(pair.run(driver.io(IoOpcode.READ, 0, 1, buffer).build()).status())
        .isEqualTo(Status.SUCCESS);
    assertThat(machine.read4(NvmeRegisters.CSTS)).isEqualTo(NvmeRegisters.CSTS_RDY);
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> void raise(Throwable thrown) throws T {
    throw (T) thrown;
  }

  /** What no completion can tell is a fatal status: here the writing of the completion fails. */
  @Test
  void anExceptionBesideCommandsIsFatalStatus() {
    driver.enable();
    QueuePair pair = driver.createPair(1, 16);
    long buffer = driver.allocate(NvmeDriver.PAGE);
    machine.beforeWrite(_ -> {
      throw new IllegalStateException("broken");
    });
    pair.put(driver.io(IoOpcode.READ, 0, 1, buffer).build());
    pair.ring();
    long deadline = System.nanoTime() + 60_000_000_000L;
    while ((machine.read4(NvmeRegisters.CSTS) & NvmeRegisters.CSTS_CFS) == 0) {
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
    assertThat(machine.failures()).hasSize(1);
    machine.failures().clear();
    machine.beforeWrite(_ -> {});
    driver.disable();
    driver.enable();
    assertThat(
            driver.createPair(1, 16).run(driver.io(IoOpcode.READ, 0, 1, buffer).build()).status())
        .isEqualTo(Status.SUCCESS);
  }

  /** Commands that are fetched and not begun can be aborted, others not. */
  @Test
  void whatHasNotBegunCanBeAborted() {
    storage.mayWait(true);
    driver.enable();
    QueuePair pair = driver.createPair(1, 64);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(_ -> await(go));
    List<Integer> commands = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      SubmissionEntry flush = driver.io(IoOpcode.FLUSH, 0, 1, 0).build();
      commands.add(flush.commandId());
      pair.put(flush);
    }
    pair.ring();
    // Four of them are begun, as many as may; the last four wait.
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (storage.waiting() < 4) {
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
    for (int i : new int[] {0, 5, 7}) {
      SubmissionEntry.Builder abort =
          SubmissionEntry.builder(AdminOpcode.ABORT).dword(10, 1 | commands.get(i) << 16);
      assertThat(driver.admin(abort).dword0()).isEqualTo(i == 0 ? 1 : 0);
    }
    for (int i : new int[] {5, 7}) {
      CompletionEntry completion = pair.await();
      assertThat(completion.commandId()).isEqualTo(commands.get(i));
      assertThat(completion.status()).isEqualTo(Status.COMMAND_ABORT_REQUESTED);
    }
    assertThat(pair.poll()).isEmpty();
    go.countDown();
    for (int i = 0; i < 6; i++) {
      assertThat(pair.await().status()).isEqualTo(Status.SUCCESS);
    }
  }

  /** Admin commands go on while all workers are busy. */
  @Test
  void adminGoesOnBesideStuckStorage() {
    storage.mayWait(true);
    driver.enable();
    QueuePair pair = driver.createPair(1, 64);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(_ -> await(go));
    for (int i = 0; i < 10; i++) {
      pair.put(driver.io(IoOpcode.FLUSH, 0, 1, 0).build());
    }
    pair.ring();
    driver.need(driver.admin(SubmissionEntry.builder(AdminOpcode.GET_FEATURES).dword(10, 7)));
    go.countDown();
    for (int i = 0; i < 10; i++) {
      assertThat(pair.await().status()).isEqualTo(Status.SUCCESS);
    }
  }
}
