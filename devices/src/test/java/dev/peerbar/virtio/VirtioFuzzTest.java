package dev.peerbar.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Memory;
import dev.peerbar.driver.fake.FakeHost;
import dev.peerbar.driver.virtio.VirtioDriver;
import dev.peerbar.driver.virtio.Virtqueue;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A driver that does anything, at any time, in the middle of a transfer too: nothing is thrown,
 * nothing is touched after a reset, and after a reset the device works.
 */
class VirtioFuzzTest {
  private static final int STEPS = 120;
  private static final int RUNS = 150;
  private static final int MOST_JOBS = 8;
  private static final long READ_ONLY = 0x7000_0000L;
  private static final long UNMAPPED = 0xdead_0000L;

  private Random random;
  private VirtioFixture fixture;
  private VirtioDriver driver;
  private FakeHost host;
  private final List<Virtqueue> queues = new ArrayList<>();

  /** How much was done over all runs, so that a fuzzer that gets nowhere is seen. */
  private int handled;

  private int broken;
  private int atTransfers;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void nothingEscapes(long seed) throws IOException {
    for (int run = 0; run < RUNS; run++) {
      random = new Random(seed * RUNS + run);
      try {
        run();
      } catch (RuntimeException | AssertionError e) {
        throw new AssertionError("seed %d, run %d".formatted(seed, run), e);
      }
    }
    assertThat(handled).isGreaterThan(RUNS);
    assertThat(broken).isGreaterThan(RUNS / 4);
    assertThat(atTransfers).isGreaterThan(RUNS);
  }

  private void run() throws IOException {
    fixture = new VirtioFixture();
    driver = fixture.driver;
    host = fixture.device.host();
    host.map(READ_ONLY, 1 << 12, true, false);
    begin();
    for (int step = 0; step < STEPS; step++) {
      step();
    }
    host.beforeTransfer(() -> {});
    handled += fixture.shouting.handled;
    driver.setUp();
    fixture.shouting.holds = false;
    fixture.expectRecovery();
    assertThat(host.journal()).noneMatch(line -> line.startsWith("threw"));
    assertThat(fixture.shouting.mistakes).isEmpty();
  }

  /** As a driver should: up to queues that are served. */
  private void begin() throws IOException {
    driver.resetDevice();
    queues.clear();
    driver.negotiate(random.nextLong());
    for (int queue = 0; queue < 3; queue++) {
      queues.add(driver.queue(queue, 1 << random.nextInt(4)));
    }
    driver.ready();
  }

  private void step() throws IOException {
    switch (random.nextInt(16)) {
      case 0 -> store();
      case 1 -> load();
      case 2 -> window();
      case 3, 4 -> descriptors();
      case 5, 6 -> good();
      case 7 -> anyBytes();
      case 8, 9, 10 -> work();
      case 11 -> release();
      case 12 -> fixture.shouting.holds = random.nextBoolean();
      case 13 -> atTransfer();
      case 14 -> fixture.shouting.host.configurationChanged();
      default -> seldom();
    }
  }

  private void seldom() throws IOException {
    switch (random.nextInt(8)) {
      case 0 -> driver.config().busMaster(random.nextBoolean());
      case 1 -> {
        fixture.device.reset();
        expectNothingMore();
        driver.setUp();
      }
      case 2 -> {
        driver.resetDevice();
        expectNothingMore();
        assertThat(driver.status()).isZero();
      }
      case 3 -> driver.resetQueue(random.nextInt(4));
      default -> {
        broken += fixture.needsReset() ? 1 : 0;
        driver.config().busMaster(true);
        begin();
      }
    }
  }

  /** After a reset whatever waits ends, and writes nothing. */
  private void expectNothingMore() {
    host.beforeTransfer(() -> {});
    host.journal().removeIf(line -> !line.startsWith("threw"));
    int raised = host.raised().size();
    host.settle();
    assertThat(host.journal()).noneMatch(line -> line.startsWith("write"));
    assertThat(host.raised()).hasSize(raised);
  }

  private Virtqueue anyQueue() {
    return queues.get(random.nextInt(queues.size()));
  }

  private AccessWidth anyWidth() {
    return AccessWidth.values()[random.nextInt(4)];
  }

  private long anyValue() {
    return switch (random.nextInt(5)) {
      case 0 -> random.nextLong();
      case 1 -> random.nextInt(16);
      case 2 -> 1;
      case 3 -> fixture.ram.iova() + random.nextInt(1 << 12);
      default -> 1L << random.nextInt(64);
    };
  }

  private long anyRegister(AccessWidth width) {
    long offset =
        switch (random.nextInt(4)) {
          case 0 -> random.nextInt(VirtioPci.BAR_BYTES);
          case 1 -> VirtioPci.NOTIFY + random.nextInt(16);
          case 2 -> VirtioPci.DEVICE + random.nextInt(16);
          default -> random.nextInt(VirtioPci.COMMON_BYTES);
        };
    return offset & -width.bytes();
  }

  private void store() throws IOException {
    Memory bar = driver.registers();
    for (int access = 0; access < 4; access++) {
      AccessWidth width = anyWidth();
      bar.store(anyRegister(width), width, anyValue());
    }
  }

  private void load() throws IOException {
    Memory bar = driver.registers();
    for (int access = 0; access < 4; access++) {
      AccessWidth width = anyWidth();
      bar.load(anyRegister(width), width);
    }
  }

  /** Any byte of the capability, so any byte of the BAR. */
  private void window() throws IOException {
    for (int access = 0; access < 4; access++) {
      AccessWidth width = AccessWidth.values()[random.nextInt(3)];
      int offset =
          driver.windowAt() + 4 + random.nextInt(VirtioPci.CAP_LONGER_BYTES - 4) & -width.bytes();
      if (random.nextBoolean()) {
        long value = random.nextBoolean() ? 1 << random.nextInt(3) : anyRegister(width);
        fixture.device.writeConfig(offset, width, value);
      } else {
        fixture.device.readConfig(offset, width);
      }
    }
  }

  private long anyAddress() {
    return switch (random.nextInt(24)) {
      case 0 -> UNMAPPED;
      case 1 -> READ_ONLY;
      case 2 -> -random.nextInt(64);
      case 3 -> random.nextLong();
      case 4 -> anyQueue().used().iova();
      case 5 -> anyQueue().available().iova();
      case 6 -> fixture.ram.iova() + fixture.ram.length() - random.nextInt(8);
      default -> fixture.ram.iova() + 16 * random.nextInt(1 << 12);
    };
  }

  private int anyLength() {
    return switch (random.nextInt(16)) {
      case 0 -> random.nextInt();
      case 1 -> 0;
      case 2 -> -1;
      default -> 16 * (1 + random.nextInt(8));
    };
  }

  private int anyFlags() {
    return random.nextInt(8) == 0 ? random.nextInt(1 << 16) : random.nextInt(4);
  }

  /** Chains that may be right. */
  private void descriptors() throws IOException {
    Virtqueue queue = anyQueue();
    DmaRange table =
        random.nextInt(4) == 0 ? fixture.ram.slice(16 * random.nextInt(256), 4096) : queue.table();
    int size = queue.size();
    for (int at = 0; at < size; at++) {
      int next = random.nextInt(8) == 0 ? random.nextInt(1 << 16) : random.nextInt(size);
      Virtqueue.descriptor(table, at, anyAddress(), anyLength(), anyFlags(), next);
    }
    if (table != queue.table()) {
      queue.descriptor(0, table.iova(), 16 * size, SplitRing.F_INDIRECT, 0);
    }
    for (int head = 1 + random.nextInt(size); head > 0; head--) {
      queue.offer(random.nextInt(16) == 0 ? random.nextInt(1 << 16) : random.nextInt(size));
    }
    kick(queue);
  }

  /** Requests that are right, if the queue is. */
  private void good() throws IOException {
    Virtqueue queue = anyQueue();
    while (poll(queue)) {
      // It has what it needs to go on.
    }
    if (queue.free() >= 2) {
      queue.add(List.of(fixture.ram.slice(0, 64)), List.of(fixture.ram.slice(64, 64)));
    }
    kick(queue);
  }

  /** What it has used may be anything, once its memory has been written over. */
  private static boolean poll(Virtqueue queue) {
    try {
      return queue.poll().isPresent();
    } catch (IOException _) {
      return false;
    }
  }

  private void kick(Virtqueue queue) throws IOException {
    queue.kick();
    if (random.nextBoolean()) {
      queue.ring();
    }
  }

  private void anyBytes() throws IOException {
    Virtqueue queue = anyQueue();
    DmaRange range =
        switch (random.nextInt(4)) {
          case 0 -> queue.table();
          case 1 -> queue.available();
          case 2 -> queue.used();
          default -> fixture.ram;
        };
    byte[] bytes = new byte[(int) Math.min(range.length(), 1 + random.nextInt(32))];
    random.nextBytes(bytes);
    range.write(random.nextInt((int) range.length() - bytes.length + 1), bytes);
    if (random.nextBoolean()) {
      queue.availableIndex(random.nextInt(random.nextBoolean() ? 1 << 16 : 16));
    }
    queue.usedEvent(random.nextInt(16));
    queue.ring();
  }

  private void work() {
    for (int job = 0; job < MOST_JOBS && host.jobsWaiting() > 0; job++) {
      host.runJob();
      if (random.nextBoolean()) {
        host.runUpdates();
      }
    }
    host.runUpdates();
  }

  private void release() {
    int count = fixture.shouting.held.size();
    if (count > 0) {
      int which = random.nextInt(count);
      fixture.shouting.release(
          fixture.shouting.heldQueues.remove(which), fixture.shouting.held.remove(which));
    }
  }

  /** Does something else in the middle of a transfer to come. */
  private void atTransfer() {
    int[] left = {1 + random.nextInt(24)};
    int what = random.nextInt(5);
    host.beforeTransfer(() -> {
      if (--left[0] == 0) {
        atTransfers++;
        try {
          switch (what) {
            case 0 -> driver.common(VirtioPci.DEVICE_STATUS, AccessWidth.BYTE, 0);
            case 1 -> driver.resetQueue(random.nextInt(3));
            case 2 -> driver.config().busMaster(false);
            case 3 -> anyBytes();
            default -> store();
          }
        } catch (IOException e) {
          throw new AssertionError(e);
        }
      }
    });
  }
}
