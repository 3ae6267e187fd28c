package dev.peerbar.devices.nvme;

import static dev.peerbar.devices.nvme.NvmeFixture.io;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.fake.InEveryMode;
import dev.peerbar.driver.fake.ThreadedDevice;
import dev.peerbar.driver.nvme.Doorbells;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.ShadowDoorbells;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.ResetKind;
import java.io.IOException;
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
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The controller on real threads: what must hold however they meet. */
@InEveryMode
@Tag("long")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
final class NvmeRaceTest {
  private static final int LBA = 512;
  private static final int QUEUES = 4;
  private static final long LIMIT_NANOS = TimeUnit.MINUTES.toNanos(2);

  /** As many as Linux has under way in a queue when it discards a large disk. */
  private static final int LONG_COMMANDS = 1000;

  private final TestStorage storage = new TestStorage(4 << 20);
  private final ThreadedDevice device;
  private final DmaRange memory;
  private final NvmeDriver driver;

  NvmeRaceTest(Engine.Polling polling) throws IOException {
    device =
        new ThreadedDevice(
            new NvmeEndpoint(
                new NvmeConfig(LBA, 1 << 20, QUEUES, DoorbellMode.TRAP, "TEST"), storage),
            polling);
    memory = device.allocate(NvmeFixture.RAM, NvmeFixture.RAM_BYTES);
    driver = driver(memory);
  }

  /** One that looks for completions, whether or not MSI-X is on. */
  private NvmeDriver driver(DmaRange itsMemory) throws IOException {
    return new NvmeDriver(device, itsMemory, List.of());
  }

  @AfterEach
  void nothingFailed() {
    device.close();
    assertThat(device.failures()).isEmpty();
  }

  private NvmeQueue[] pairs(int entries) throws IOException {
    NvmeQueue[] pairs = new NvmeQueue[QUEUES];
    for (int i = 0; i < QUEUES; i++) {
      pairs[i] = driver.createQueue(i + 1, entries);
    }
    return pairs;
  }

  /**
   * The first so many are rung by the same shadows, each by its own thread. The others are not of
   * the driver that has shadows: they ring registers alone.
   */
  private void ringBy(ShadowDoorbells shadows, NvmeQueue[] pairs, int shadowed) {
    Doorbells registers = new Doorbells.Registers(driver.registers());
    for (int i = 0; i < QUEUES; i++) {
      pairs[i].ringBy(
          i < shadowed
              ? new ShadowDoorbells(shadows.shadows(), shadows.events(), registers)
              : registers);
    }
  }

  private static void onThreads(List<Callable<Void>> work) throws Exception {
    try (ExecutorService threads = Executors.newCachedThreadPool()) {
      List<Future<Void>> futures = new ArrayList<>();
      for (Callable<Void> each : work) {
        futures.add(threads.submit(each));
      }
      for (Future<Void> future : futures) {
        future.get(9, TimeUnit.MINUTES);
      }
    }
  }

  /** Commands of all depths on all queues at once, each queue with blocks of its own. */
  @ParameterizedTest
  @CsvSource({"0, false", "4, false", "4, true", "0, true", "2, false", "2, true"})
  void everyCommandCompletesOnceWithItsData(int shadowed, boolean pin) throws Exception {
    if (!pin) {
      device.enableMsix(1);
    }
    driver.enable();
    NvmeQueue[] pairs;
    if (shadowed > 0) {
      ShadowDoorbells shadows = driver.ringByShadows();
      pairs = pairs(32);
      ringBy(shadows, pairs, shadowed);
    } else {
      pairs = pairs(32);
    }
    DmaRange[] buffers = new DmaRange[QUEUES];
    for (int i = 0; i < QUEUES; i++) {
      buffers[i] = driver.allocate(32 * NvmeDriver.PAGE);
    }
    // Engines lose their processor where it hurts: between two stores.
    AtomicInteger seeds = new AtomicInteger();
    ThreadLocal<Random> randoms =
        ThreadLocal.withInitial(() -> new Random(seeds.incrementAndGet()));
    device.beforeWrite(_ -> {
      Random random = randoms.get();
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
  private void hammer(NvmeQueue pair, DmaRange buffers, long firstLba, int rounds, long seed)
      throws IOException {
    Random random = new Random(seed);
    for (int round = 0; round < rounds; round++) {
      int depth = 1 + random.nextInt(random.nextInt(8) == 0 ? 31 : 3);
      IoOpcode opcode = round % 2 == 0 ? IoOpcode.WRITE : IoOpcode.READ;
      Map<Integer, Integer> sent = new HashMap<>();
      for (int i = 0; i < depth; i++) {
        DmaRange page = buffers.slice((long) i * NvmeDriver.PAGE, NvmeDriver.PAGE);
        if (opcode == IoOpcode.WRITE) {
          page.storeLong(0, round * 100L + i);
        }
        int commandId = round * 32 + i & 0xffff;
        sent.put(commandId, i);
        pair.put(
            SubmissionEntry.builder(opcode)
                .commandId(commandId)
                .namespaceId(1)
                .prp1(page.iova())
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

  /**
   * What is polled has to be left to workers from some time on, amid everything: because a queue,
   * or the shadows, must be waited for, after some data had to be.
   */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void nothingIsLostWhereAPollerLeavesOff(boolean shadow) throws Exception {
    device.enableMsix(1);
    Random random = new Random(6);
    for (int generation = 0; generation < 40; generation++) {
      device.byMessages(_ -> false);
      driver.enable();
      ShadowDoorbells shadows = shadow ? driver.ringByShadows() : null;
      NvmeQueue[] pairs = pairs(32);
      if (shadow) {
        ringBy(shadows, pairs, 3);
      }
      DmaRange data = driver.allocate(QUEUES * 32 * NvmeDriver.PAGE);
      List<Callable<Void>> work = new ArrayList<>();
      for (int i = 0; i < QUEUES; i++) {
        int index = i;
        DmaRange its = data.slice(32L * i * NvmeDriver.PAGE, 32 * NvmeDriver.PAGE);
        work.add(() -> {
          hammer(pairs[index], its, index * 1000L, 30, index);
          return null;
        });
      }
      DmaRange last =
          switch (random.nextInt(shadow ? 4 : 2)) {
            case 0 -> pairs[1].submissions();
            case 1 -> pairs[2].completions();
            case 2 -> shadows.shadows();
            default -> shadows.events();
          };
      int wait = random.nextInt(2_000_000);
      work.add(() -> {
        device.byMessages(iova -> covers(data, iova) && iova / NvmeDriver.PAGE % 4 == 1);
        LockSupport.parkNanos(wait);
        device.byMessages(iova -> covers(data, iova) || covers(last, iova));
        return null;
      });
      onThreads(work);
      assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
      driver.disable();
    }
  }

  private static boolean covers(DmaRange range, long iova) {
    return iova >= range.iova() && iova - range.iova() < range.length();
  }

  /** A doorbell that goes around between two looks has moved too. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void theSmallestQueuesLoseNothing(boolean pin) throws Exception {
    if (!pin) {
      device.enableMsix(1);
    }
    ShadowDoorbells shadows = driver.enable().ringByShadows();
    NvmeQueue admin = driver.admin();
    NvmeQueue[] pairs = pairs(2);
    ringBy(shadows, pairs, 3);
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    List<Callable<Void>> work = new ArrayList<>();
    for (NvmeQueue pair : pairs) {
      work.add(() -> {
        for (int i = 0; i < 5_000; i++) {
          SubmissionEntry read =
              SubmissionEntry.builder(IoOpcode.READ)
                  .commandId(i)
                  .namespaceId(1)
                  .prp1(buffer.iova())
                  .build();
          assertThat(pair.execute(read).commandId()).isEqualTo(i);
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
    device.enableMsix(1);
    ShadowDoorbells shadows = driver.enable().ringByShadows();
    NvmeQueue pair = driver.createQueue(1, 8);
    CountDownLatch polls = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    long shadow = shadows.shadows().iova();
    // Only a worker waits for the host.
    device.byMessages(iova -> iova >= shadow && iova < shadow + NvmeDriver.PAGE);
    device.beforeRead(iova -> {
      if (iova == shadow && Thread.currentThread().getName().startsWith("io-")) {
        polls.countDown();
        await(go);
      }
    });
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    pair.put(io(IoOpcode.READ, 0, 1, buffer));
    pair.ring();
    await(polls);
    NvmeQueue admin = driver.admin();
    admin.put(
        NvmeCommands.createCompletionQueue(2, 8, driver.allocate(NvmeDriver.PAGE).iova(), 0)
            .commandId(7)
            .build());
    admin.ring();
    Thread engine = device.engineThread("admin");
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while (engine.getState() != Thread.State.WAITING || !isInSetUp(engine)) {
      assertThat(System.nanoTime()).as("asleep before this").isLessThan(deadline);
      Thread.yield();
    }
    go.countDown();
    assertThat(admin.await().commandId()).isEqualTo(7);
    assertThat(pair.await().status()).isEqualTo(Status.SUCCESS);
  }

  private static boolean isInSetUp(Thread engine) {
    return Arrays.stream(engine.getStackTrace())
        .anyMatch(frame -> frame.getMethodName().equals("beginSetUp"));
  }

  /** The generation ends while somebody waits to set shadows up: that ends too. */
  @Test
  void aSetUpThatWaitsEndsWithItsLife() throws Exception {
    device.enableMsix(1);
    ShadowDoorbells shadows = driver.enable().ringByShadows();
    NvmeQueue pair = driver.createQueue(1, 8);
    CountDownLatch polls = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    long shadow = shadows.shadows().iova();
    // Only a worker waits for the host.
    device.byMessages(iova -> iova >= shadow && iova < shadow + NvmeDriver.PAGE);
    device.beforeRead(iova -> {
      if (iova == shadow && Thread.currentThread().getName().startsWith("io-")) {
        polls.countDown();
        await(go);
      }
    });
    pair.put(NvmeCommands.flush());
    pair.ring();
    await(polls);
    NvmeQueue admin = driver.admin();
    admin.put(
        NvmeCommands.createCompletionQueue(2, 8, driver.allocate(NvmeDriver.PAGE).iova(), 0)
            .commandId(7)
            .build());
    admin.ring();
    Thread engine = device.engineThread("admin");
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while (!isInSetUp(engine)) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
    }
    driver.disable();
    while (isInSetUp(engine)) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
    }
    go.countDown();
    driver.enable();
    assertThat(driver.createQueue(1, 8).execute(NvmeCommands.flush()).status())
        .isEqualTo(Status.SUCCESS);
  }

  /** The window between a worker's last look and its going idle, hit again and again. */
  @Test
  void noShadowDoorbellIsLost() throws Exception {
    device.enableMsix(1);
    ShadowDoorbells shadows = driver.enable().ringByShadows();
    NvmeQueue[] pairs = pairs(8);
    ringBy(shadows, pairs, QUEUES);
    openTheWindow(shadows);
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    List<Callable<Void>> work = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      NvmeQueue pair = pairs[i];
      Random random = new Random(i);
      work.add(() -> {
        SubmissionEntry read =
            SubmissionEntry.builder(IoOpcode.READ).namespaceId(1).prp1(buffer.iova()).build();
        for (int round = 0; round < 3_000; round++) {
          pair.execute(read);
          // About when the workers give up looking.
          LockSupport.parkNanos(900_000 + random.nextInt(300_000));
        }
        return null;
      });
    }
    onThreads(work);
  }

  /** Has the host look at EventIdx long after the endpoint last looked at its doorbells. */
  private void openTheWindow(ShadowDoorbells shadows) {
    long eventIdx = shadows.events().iova();
    device.beforeWrite(iova -> {
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
  void nothingIsStoredAfterALife(boolean shadow) throws IOException {
    device.enableMsix(1);
    // With memory that no generation before has used.
    long half = NvmeFixture.RAM_BYTES / 2;
    NvmeDriver elsewhere = driver(memory.slice(half, half));
    Random random = new Random(1);
    for (int generation = 0; generation < 300; generation++) {
      driver.enable();
      if (shadow) {
        driver.ringByShadows();
      }
      NvmeQueue[] pairs = pairs(32);
      DmaRange buffer = driver.allocate(32 * NvmeDriver.PAGE);
      for (NvmeQueue pair : pairs) {
        for (int i = 0; i < 31; i++) {
          DmaRange page = buffer.slice((long) i * NvmeDriver.PAGE, NvmeDriver.PAGE);
          pair.put(io(IoOpcode.READ, random.nextInt(100), 8, page));
        }
        pair.ring();
      }
      LockSupport.parkNanos(random.nextInt(300_000));
      int how = random.nextInt(4);
      if (how == 0) {
        driver.write(NvmeRegisters.CC, 0);
        assertThat(driver.status()).isZero();
      } else {
        device.reset(ResetKind.values()[how - 1]);
        device.enableMsix(1);
      }
      long raised = device.raised();
      byte[] before = memory.read(0, (int) NvmeFixture.RAM_BYTES / 16);
      // The next generation is ready once every engine has left the last one.
      driver.status();
      elsewhere.enable();
      assertThat(memory.read(0, (int) NvmeFixture.RAM_BYTES / 16)).isEqualTo(before);
      assertThat(device.raised()).isEqualTo(raised);
      elsewhere.disable();
    }
  }

  /** What a generation has moved its data with the next one takes over. */
  @Test
  void resetsUnderLoadTakeNoMemory() throws Exception {
    int generations = 1000;
    device.enableMsix(1);
    Random random = new Random(4);
    long before = 0;
    for (int generation = 0; generation < generations; generation++) {
      if (generation == generations / 10) {
        before = resident();
      }
      driver.enable();
      NvmeQueue[] pairs = pairs(32);
      DmaRange buffer = driver.allocate(32 * NvmeDriver.PAGE);
      for (NvmeQueue pair : pairs) {
        for (int i = 0; i < 31; i++) {
          DmaRange page = buffer.slice((long) i * NvmeDriver.PAGE, NvmeDriver.PAGE);
          pair.put(io(IoOpcode.COMPARE, random.nextInt(100), 8, page));
        }
        pair.ring();
      }
      LockSupport.parkNanos(random.nextInt(100_000));
      device.reset(ResetKind.values()[random.nextInt(3)]);
      device.enableMsix(1);
    }
    System.out.printf(
        "resident after %d resets under load: %d KiB, after %d: %d KiB; %d places lent%n",
        generations / 10, before, generations, resident(), device.lent().size());
    assertThat(device.lent()).hasSizeLessThan(100);
  }

  /** In KiB. */
  private static long resident() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }

  /** A generation ends while storage is stuck; the next is not ready before that has come back. */
  @Test
  void aLifeBeginsOnceStorageHasLeftTheLast() throws Exception {
    storage.mayWait(true);
    driver.enable();
    NvmeQueue pair = driver.createQueue(1, 16);
    CountDownLatch stuck = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(what -> {
      stuck.countDown();
      await(go);
    });
    pair.put(io(IoOpcode.WRITE, 0, 1, driver.allocate(NvmeDriver.PAGE)));
    pair.ring();
    assertThat(stuck.await(1, TimeUnit.MINUTES)).isTrue();
    driver.write(NvmeRegisters.CC, 0);
    // A reset waits for nobody.
    assertThat(driver.status()).isZero();
    driver.write(NvmeRegisters.CC, 0x460001);
    for (int i = 0; i < 1000; i++) {
      assertThat(driver.status()).isZero();
    }
    storage.before(_ -> {});
    go.countDown();
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while (driver.status() != NvmeRegisters.CSTS_RDY) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
    }
    assertThat(storage.calls()).hasSize(1);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(5, TimeUnit.MINUTES)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** What waits for storage holds up neither the commands fetched with it nor later ones. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void slowCommandsHoldNobodyUp(boolean shadow) throws IOException {
    storage.mayWait(true);
    driver.enable();
    if (shadow) {
      driver.ringByShadows();
    }
    NvmeQueue pair = driver.createQueue(1, 64);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(what -> {
      if (what.equals("flush")) {
        await(go);
      }
    });
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    Set<Integer> flushes = new HashSet<>();
    for (int i = 0; i < 3; i++) {
      flushes.add(pair.put(NvmeCommands.flush()));
      pair.put(io(IoOpcode.READ, i, 1, buffer));
    }
    pair.ring();
    for (int i = 0; i < 3; i++) {
      assertThat(flushes).doesNotContain(pair.await().commandId());
    }
    for (int i = 0; i < 20; i++) {
      CompletionEntry completion = pair.execute(io(IoOpcode.READ, i, 1, buffer));
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
  void longCommandsLeaveAnEngineForOthers(IoOpcode opcode, String call) throws IOException {
    storage.mayWait(true);
    driver.enable();
    NvmeQueue pair = driver.createQueue(1, 1024);
    NvmeQueue other = driver.createQueue(2, 8);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(what -> {
      if (what.contains(call)) {
        await(go);
      }
    });
    DmaRange ranges = driver.allocate(NvmeDriver.PAGE);
    ranges.storeInt(4, 8);
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    Set<Integer> slow = new HashSet<>();
    for (int i = 0; i < LONG_COMMANDS; i++) {
      SubmissionEntry.Builder command = io(opcode, 8L * (i % 100), 8, ranges);
      SubmissionEntry.Builder longCommand =
          switch (opcode) {
            case DATASET_MANAGEMENT -> command.dword(10, 0).dword(11, 4).dword(12, 0);
            case WRITE -> command.dword(12, 1 << 30 | 7);
            default -> command;
          };
      slow.add(pair.put(longCommand));
    }
    pair.put(io(IoOpcode.READ, 0, 1, buffer));
    pair.ring();
    assertThat(slow).doesNotContain(pair.await().commandId());
    for (int i = 0; i < 20; i++) {
      assertThat(other.execute(io(IoOpcode.READ, i, 1, buffer)).status()).isEqualTo(Status.SUCCESS);
      assertThat(slow).doesNotContain(pair.execute(io(IoOpcode.COMPARE, i, 1, buffer)).commandId());
    }
    go.countDown();
    for (int i = 0; i < LONG_COMMANDS; i++) {
      assertThat(slow.remove(pair.await().commandId())).isTrue();
    }
  }

  /** Nor does a command wait for them that only has to wait for its memory. */
  @Test
  void longCommandsLeaveAnEngineForWhatCannotBePolled() throws IOException {
    driver.enable();
    NvmeQueue pair = driver.createQueue(1, 64);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(what -> {
      if (what.startsWith("discard")) {
        await(go);
      }
    });
    DmaRange ranges = driver.allocate(NvmeDriver.PAGE);
    ranges.storeInt(4, 8);
    DmaRange far = driver.allocate(NvmeDriver.PAGE);
    device.byMessages(iova -> covers(far, iova));
    Set<Integer> slow = new HashSet<>();
    for (int i = 0; i < 20; i++) {
      slow.add(pair.put(io(IoOpcode.DATASET_MANAGEMENT, 0, 1, ranges).dword(10, 0).dword(11, 4)));
    }
    pair.ring();
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while (storage.waiting() < 4) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
    }
    for (int i = 0; i < 20; i++) {
      assertThat(slow).doesNotContain(pair.execute(io(IoOpcode.READ, i, 1, far)).commandId());
    }
    go.countDown();
    for (int i = 0; i < 20; i++) {
      assertThat(slow.remove(pair.await().commandId())).isTrue();
    }
  }

  /** A queue may be deleted with commands put aside: they are aborted, whatever is stuck. */
  @Test
  void whatWaitsForLongCommandsIsAbortedWithItsQueue() throws IOException {
    storage.mayWait(true);
    driver.enable();
    NvmeQueue stuck = driver.createQueue(1, 64);
    NvmeQueue pair = driver.createQueue(2, 512);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(_ -> await(go));
    for (int i = 0; i < 8; i++) {
      stuck.put(NvmeCommands.flush());
    }
    stuck.ring();
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while (storage.waiting() < 4) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
    }
    for (int i = 0; i < 500; i++) {
      pair.put(NvmeCommands.flush());
    }
    pair.ring();
    driver.admin().succeed(NvmeCommands.deleteSubmissionQueue(2));
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
  void noShadowDoorbellWaitsForASlowCommand() throws IOException {
    device.enableMsix(1);
    storage.mayWait(true);
    ShadowDoorbells shadows = driver.enable().ringByShadows();
    NvmeQueue pair = driver.createQueue(1, 64);
    openTheWindow(shadows);
    AtomicReference<CountDownLatch> go = new AtomicReference<>();
    storage.before(what -> {
      if (what.equals("flush")) {
        await(go.get());
      }
    });
    Random random = new Random(3);
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    for (int round = 0; round < 1000; round++) {
      go.set(new CountDownLatch(1));
      int flush = pair.put(NvmeCommands.flush());
      pair.ring();
      spin(random.nextInt(60_000));
      int read = pair.put(io(IoOpcode.READ, 0, 1, buffer));
      pair.ring();
      assertThat(pair.await().commandId()).isEqualTo(read);
      go.get().countDown();
      assertThat(pair.await().commandId()).isEqualTo(flush);
    }
  }

  /** A full completion queue holds its submission queue back, and only that. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void aFullCompletionQueueWaitsForItsHead(boolean shadow) throws IOException {
    device.enableMsix(1);
    driver.enable();
    if (shadow) {
      driver.ringByShadows();
    }
    NvmeQueue narrow =
        driver.createQueue(
            1,
            driver.allocate(64L * SubmissionEntry.BYTES),
            driver.allocate(4L * CompletionEntry.BYTES).slice(0, 4L * CompletionEntry.BYTES),
            0);
    NvmeQueue other = driver.createQueue(2, 8);
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    for (int round = 0; round < 300; round++) {
      for (int i = 0; i < 20; i++) {
        narrow.put(io(IoOpcode.READ, i, 1, buffer));
      }
      narrow.ring();
      for (int i = 0; i < 3; i++) {
        assertThat(awaitEntry(narrow).status()).isEqualTo(Status.SUCCESS);
      }
      // Three slots are all there are: the head has not moved.
      other.execute(io(IoOpcode.READ, 0, 1, buffer));
      assertThat(narrow.poll()).isEmpty();
      narrow.ringHead();
      for (int i = 0; i < 17; i++) {
        assertThat(narrow.await().status()).isEqualTo(Status.SUCCESS);
      }
    }
  }

  private CompletionEntry awaitEntry(NvmeQueue pair) throws IOException {
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while (true) {
      Optional<CompletionEntry> entry = pair.poll();
      if (entry.isPresent()) {
        return entry.get();
      }
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
    }
  }

  /** Deleting a queue with commands in flight: all that complete do so before the deletion. */
  @ParameterizedTest
  @CsvSource({"false", "true"})
  void aDeletedQueueIsQuiet(boolean shadow) throws IOException {
    device.enableMsix(1);
    driver.enable();
    if (shadow) {
      driver.ringByShadows();
    }
    Random random = new Random(2);
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    for (int round = 0; round < 300; round++) {
      long mark = driver.memory().mark();
      NvmeQueue pair = driver.createQueue(1, 64);
      for (int i = 0; i < 60; i++) {
        pair.put(io(IoOpcode.READ, i, 1, buffer));
      }
      pair.ring();
      LockSupport.parkNanos(random.nextInt(100_000));
      driver.admin().succeed(NvmeCommands.deleteSubmissionQueue(1));
      int completed = 0;
      for (Optional<CompletionEntry> entry = pair.poll(); entry.isPresent(); entry = pair.poll()) {
        assertThat(entry.get().status())
            .isIn(Status.SUCCESS, Status.COMMAND_ABORTED_DUE_TO_SQ_DELETION);
        completed++;
      }
      assertThat(completed).isLessThanOrEqualTo(60);
      driver.admin().succeed(NvmeCommands.deleteCompletionQueue(1));
      assertThat(pair.poll()).isEmpty();
      driver.memory().release(mark);
    }
  }

  /** What storage throws, other than what it may, fails the command and nothing else. */
  @Test
  void anExceptionIsAnInternalError() throws IOException {
    driver.enable();
    NvmeQueue pair = driver.createQueue(1, 16);
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    List<Throwable> thrown = List.of(new IllegalStateException("broken"), new OutOfMemoryError());
    for (Throwable each : thrown) {
      storage.before(_ -> NvmeRaceTest.<RuntimeException>raise(each));
      assertThat(pair.execute(io(IoOpcode.READ, 0, 1, buffer)).status())
          .isEqualTo(Status.INTERNAL_ERROR);
    }
    storage.before(_ -> {});
    assertThat(pair.execute(io(IoOpcode.READ, 0, 1, buffer)).status()).isEqualTo(Status.SUCCESS);
    assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> void raise(Throwable thrown) throws T {
    throw (T) thrown;
  }

  /** What no completion can tell is a fatal status: here the writing of the completion fails. */
  @Test
  void anExceptionBesideCommandsIsFatalStatus() throws IOException {
    driver.enable();
    NvmeQueue pair = driver.createQueue(1, 16);
    DmaRange buffer = driver.allocate(NvmeDriver.PAGE);
    device.beforeWrite(_ -> {
      throw new IllegalStateException("broken");
    });
    pair.put(io(IoOpcode.READ, 0, 1, buffer));
    pair.ring();
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while ((driver.status() & NvmeRegisters.CSTS_CFS) == 0) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
    }
    assertThat(device.failures()).hasSize(1);
    device.failures().clear();
    device.beforeWrite(_ -> {});
    driver.disable();
    driver.enable();
    assertThat(driver.createQueue(1, 16).execute(io(IoOpcode.READ, 0, 1, buffer)).status())
        .isEqualTo(Status.SUCCESS);
  }

  /** Commands that are fetched and not begun can be aborted, others not. */
  @Test
  void whatHasNotBegunCanBeAborted() throws IOException {
    storage.mayWait(true);
    driver.enable();
    NvmeQueue pair = driver.createQueue(1, 64);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(_ -> await(go));
    List<Integer> commands = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      commands.add(pair.put(NvmeCommands.flush()));
    }
    pair.ring();
    // Four of them are begun, as many as may; the last four wait.
    long deadline = System.nanoTime() + LIMIT_NANOS;
    while (storage.waiting() < 4) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.yield();
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
  void adminGoesOnBesideStuckStorage() throws IOException {
    storage.mayWait(true);
    driver.enable();
    NvmeQueue pair = driver.createQueue(1, 64);
    CountDownLatch go = new CountDownLatch(1);
    storage.before(_ -> await(go));
    for (int i = 0; i < 10; i++) {
      pair.put(NvmeCommands.flush());
    }
    pair.ring();
    driver.admin().succeed(SubmissionEntry.builder(AdminOpcode.GET_FEATURES).dword(10, 7));
    go.countDown();
    for (int i = 0; i < 10; i++) {
      assertThat(pair.await().status()).isEqualTo(Status.SUCCESS);
    }
  }
}
