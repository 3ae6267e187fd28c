package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.socket.SocketDevice.Reach;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.storage.HostMemory;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Storage that takes its time, and a controller that is reset or closed meanwhile. */
@Tag("polled")
@Timeout(120)
final class NvmeSlowStorageTest {
  private static final int ENTRIES = 16;
  private static final long LIMIT_SECONDS = 60;

  @TempDir private Path directory;
  private SlowStorage storage;
  private NvmeWire wire;
  private NvmeDriver driver;

  /** Flushes, and only they, wait for a permit; so do writes that are durable, once written. */
  private static final class SlowStorage implements Storage {
    private final Storage storage;
    private final CountDownLatch free = new CountDownLatch(1);
    private final Semaphore waiting = new Semaphore(0);

    SlowStorage(Storage storage) {
      this.storage = storage;
    }

    private void pause() {
      waiting.release();
      try {
        assertThat(free.await(LIMIT_SECONDS, TimeUnit.SECONDS)).as("let go").isTrue();
      } catch (InterruptedException e) {
        // As a thread in the kernel would not notice, neither does this.
        try {
          free.await(LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException again) {
          Thread.currentThread().interrupt();
        }
      }
    }

    @Override
    public long size() {
      return storage.size();
    }

    @Override
    public void read(long position, MemorySegment into) throws StorageException {
      storage.read(position, into);
    }

    @Override
    public void write(long position, MemorySegment from, boolean durable) throws StorageException {
      if (durable) {
        pause();
      }
      storage.write(position, from, durable);
    }

    @Override
    public void flush() throws StorageException {
      pause();
      storage.flush();
    }

    @Override
    public long zero(long position, long length, boolean deallocate) throws StorageException {
      return storage.zero(position, length, deallocate);
    }

    @Override
    public long discard(long position, long length) throws StorageException {
      return storage.discard(position, length);
    }

    @Override
    public boolean readsZerosAfterDiscard() {
      return storage.readsZerosAfterDiscard();
    }

    @Override
    public boolean mayWait() {
      return true;
    }

    @Override
    public void close() {
      storage.close();
    }
  }

  @BeforeEach
  void start() throws Exception {
    storage = new SlowStorage(HostMemory.storage(NvmeWire.STORAGE_SIZE));
    wire =
        new NvmeWire(
            directory.resolve("slow.sock"),
            NvmeWire.config(DoorbellMode.TRAP, NvmeWire.CMB_SIZE),
            storage);
    driver = wire.start(Reach.DIRECTLY);
  }

  @AfterEach
  void stop() {
    storage.free.countDown();
    wire.close();
  }

  private void awaitWaiting() throws InterruptedException {
    assertThat(storage.waiting.tryAcquire(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void othersGoOnWhileOneWaits() throws Exception {
    NvmeQueue slow = driver.createQueue(1, ENTRIES);
    NvmeQueue quick = driver.createQueue(2, ENTRIES);
    NvmeBuffer data = driver.buffer(4096);
    slow.submit(NvmeCommands.flush(), NvmeWire.read(0, data));
    awaitWaiting();
    for (int i = 0; i < 100; i++) {
      quick.succeed(NvmeWire.read(i, data));
    }
    // Of its own queue too.
    assertThat(slow.await().commandId()).isOne();
    assertThat(slow.poll()).isEmpty();
    storage.free.countDown();
    assertThat(slow.await().status()).isEqualTo(Status.SUCCESS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"CC.EN", "FLR", "DEVICE_RESET", "client"})
  void aResetDoesNotWaitForStorageAndTheNextLifeDoes(String reset) throws Exception {
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    NvmeBuffer data = driver.buffer(512);
    data.data().fill(0, data.length(), (byte) 1);
    queue.put(NvmeCommands.writeThrough(9, 1, data.pointer()));
    queue.ring();
    awaitWaiting();
    switch (reset) {
      case "CC.EN" -> driver.disable();
      case "FLR" -> driver.config().functionLevelReset();
      case "DEVICE_RESET" -> wire.client().reset();
      default -> {
        wire.reconnect();
        driver = wire.driver(Reach.DIRECTLY);
      }
    }
    driver.drainInterrupts();
    driver.setUp();
    driver.begin(NvmeDriver.ENABLE);
    for (int i = 0; i < 200; i++) {
      assertThat(driver.status()).as("CSTS while the write before the reset is not over").isZero();
      TimeUnit.MILLISECONDS.sleep(1);
    }
    assertThat(NvmeWire.interrupts(driver)).isEmpty();
    storage.free.countDown();
    driver.awaitReady(true);
    driver.requestQueues(NvmeWire.QUEUES);
    NvmeBuffer seen = driver.buffer(512);
    NvmeQueue next = driver.createQueue(1, ENTRIES);
    next.succeed(NvmeWire.read(9, seen));
    assertThat(seen.data().load(0, AccessWidth.BYTE))
        .as("what was written before the reset")
        .isOne();
    assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
  }

  @Test
  void aServerClosesWithoutIt() throws Exception {
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    queue.submit(NvmeCommands.flush());
    awaitWaiting();
    wire.stopServing();
    assertThat(wire.client().awaitEnd(Wire.LIMIT)).isTrue();
  }
}
