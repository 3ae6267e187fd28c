package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.driver.DmaArea;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.driver.socket.SocketDevice.Reach;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Everything that ends a controller's state or its right to memory, at moments that chance chooses
 * while several queues are full of work: nothing of it is seen afterwards, and the controller
 * initialises again.
 */
@Tag("polled")
@Tag("long")
@Timeout(240)
final class NvmeRevocationTest {
  private static final int ROUNDS = 30;
  private static final int ENTRIES = 64;
  private static final int SMALL = 4096;
  private static final int LARGE = 512 << 10;
  private static final byte POISON = 0x5a;

  /** Requests between the reply and the last look. */
  private static final int OPERATIONS = 10;

  /** Delays before a revocation, in spins. */
  private static final int LONGEST_DELAY = 100_000;

  private enum Revocation {
    CONTROLLER_DISABLED,
    FUNCTION_LEVEL_RESET,
    DEVICE_RESET,
    BUS_MASTER_OFF,
    MEMORY_UNMAPPED,
    CLIENT_LOST
  }

  @TempDir private Path directory;
  private final Random random = new Random(1);
  private NvmeWire wire;

  @BeforeEach
  void start() throws Exception {
    wire = NvmeWire.inMemory(directory);
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  /** Fills every queue with reads and writes, small and large, and rings. */
  private void load(NvmeDriver driver) throws Exception {
    for (NvmeQueue queue : fill(driver)) {
      queue.ring();
    }
  }

  private List<NvmeQueue> fill(NvmeDriver driver) throws Exception {
    NvmeBuffer small = driver.buffer(SMALL);
    NvmeBuffer large = driver.buffer(LARGE);
    DmaArea cmb = NvmeWire.cmb(driver);
    NvmeBuffer own = NvmeBuffer.in(cmb, LARGE);
    List<NvmeQueue> queues = new ArrayList<>();
    for (int id = 1; id <= NvmeWire.QUEUES; id++) {
      queues.add(NvmeWire.createQueue(driver, id, ENTRIES, id % 2 == 0 ? driver.memory() : cmb));
    }
    for (NvmeQueue queue : queues) {
      while (queue.outstanding() < ENTRIES - 1) {
        long lba = random.nextLong(NvmeWire.STORAGE_SIZE / NvmeWire.LBA - LARGE / NvmeWire.LBA);
        NvmeBuffer data = List.of(small, large, own).get(random.nextInt(3));
        queue.put(random.nextBoolean() ? NvmeWire.read(lba, data) : NvmeWire.write(lba, data));
      }
    }
    return queues;
  }

  private void delay() {
    for (int i = random.nextInt(LONGEST_DELAY); i > 0; i--) {
      Thread.onSpinWait();
    }
  }

  private void revoke(Revocation revocation, NvmeDriver driver) throws Exception {
    switch (revocation) {
      case CONTROLLER_DISABLED -> driver.disable();
      case FUNCTION_LEVEL_RESET -> driver.config().functionLevelReset();
      case DEVICE_RESET -> wire.client().reset();
      case BUS_MASTER_OFF -> driver.config().busMaster(false);
      case MEMORY_UNMAPPED -> driver.device().unmap(driver.memory().memory());
      case CLIENT_LOST -> wire.reconnect();
    }
  }

  /** Works from the beginning on. */
  private static void works(NvmeDriver driver, long seed) throws Exception {
    NvmeWire.start(driver);
    NvmeBuffer data = driver.buffer(LARGE);
    NvmeBuffer seen = driver.buffer(LARGE);
    NvmeWire.randomise(data, seed);
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    queue.succeed(NvmeWire.write(seed, data));
    queue.succeed(NvmeWire.read(seed, seen));
    assertThat(NvmeWire.bytes(seen).mismatch(NvmeWire.bytes(data))).isEqualTo(-1);
  }

  @ParameterizedTest
  @EnumSource
  void nothingOfTheOldLifeIsSeen(Revocation revocation) throws Exception {
    MemorySegment poison = MemorySegment.ofArray(new byte[(int) NvmeWire.RAM_SIZE]).fill(POISON);
    NvmeDriver driver = wire.driver(Reach.DIRECTLY);
    for (int round = 0; round < ROUNDS; round++) {
      NvmeWire.start(driver);
      load(driver);
      delay();
      revoke(revocation, driver);
      MemorySegment memory = NvmeWire.ram(driver);
      memory.copyFrom(poison);
      driver.drainInterrupts();
      for (int i = 0; i < OPERATIONS; i++) {
        assertThat(wire.client().readInt(NvmeRegisters.BAR, NvmeRegisters.VS))
            .isEqualTo((int) NvmeRegisters.VS_1_4);
      }
      assertThat(memory.mismatch(poison)).as("a byte that changed").isEqualTo(-1);
      // A controller whose memory has gone may still tell of its error.
      if (revocation != Revocation.MEMORY_UNMAPPED) {
        assertThat(NvmeWire.interrupts(driver)).as("interrupts").isEmpty();
      }
      driver = restored(revocation, driver);
      works(driver, round);
    }
  }

  private NvmeDriver restored(Revocation revocation, NvmeDriver driver) throws Exception {
    return switch (revocation) {
      case CLIENT_LOST -> wire.driver(Reach.DIRECTLY);
      case MEMORY_UNMAPPED -> {
        ((SocketDevice) driver.device()).mapAgain(driver.memory().memory());
        yield driver;
      }
      default -> driver;
    };
  }

  @ParameterizedTest
  @EnumSource(
      value = Revocation.class,
      names = {"CONTROLLER_DISABLED", "FUNCTION_LEVEL_RESET", "DEVICE_RESET", "BUS_MASTER_OFF"})
  void noMessageComesAfterwards(Revocation revocation) throws Exception {
    NvmeDriver driver = wire.driver(Reach.BY_MESSAGES);
    Watch watch = new Watch(NvmeWire.ram(driver));
    wire.client().serveDma(watch);
    for (int round = 0; round < ROUNDS; round++) {
      watch.live();
      NvmeWire.start(driver);
      List<NvmeQueue> queues = fill(driver);
      // What is asked for from here on is asked for by commands, however slowly this goes on.
      watch.asked.drainPermits();
      for (NvmeQueue queue : queues) {
        queue.ring();
      }
      assertThat(watch.asked.tryAcquire(60, TimeUnit.SECONDS)).isTrue();
      delay();
      // The reader gets replies and requests in the order of the wire, and tells both.
      CompletableFuture<Frame> replied = send(revocation, driver);
      replied.thenRun(watch::over);
      Frame reply = replied.get(60, TimeUnit.SECONDS);
      assertThat(reply.header().error()).isFalse();
      reply.release();
      for (int i = 0; i < OPERATIONS; i++) {
        assertThat(wire.client().readInt(NvmeRegisters.BAR, NvmeRegisters.VS))
            .isEqualTo((int) NvmeRegisters.VS_1_4);
      }
      assertThat(watch.late.get()).as("requests after the reply").isZero();
      watch.live();
      works(driver, round);
    }
    System.out.printf(
        "%s by messages: %d requests in %d rounds%n", revocation, watch.all.get(), ROUNDS);
  }

  @Test
  void aClientThatIsLostWhileItIsAskedForMemoryIsForgotten() throws Exception {
    for (int round = 0; round < ROUNDS / 3; round++) {
      NvmeDriver driver = wire.start(Reach.BY_MESSAGES);
      load(driver);
      delay();
      wire.reconnect();
      works(wire.driver(Reach.DIRECTLY), round);
      wire.reconnect();
    }
  }

  private CompletableFuture<Frame> send(Revocation revocation, NvmeDriver driver) throws Exception {
    return switch (revocation) {
      case CONTROLLER_DISABLED ->
          wire.client()
              .submit(
                  Command.REGION_WRITE,
                  new RegionWrite.Request(
                      NvmeRegisters.CC,
                      NvmeRegisters.BAR,
                      Unpooled.buffer(Integer.BYTES).writeIntLE(0)));
      case FUNCTION_LEVEL_RESET ->
          word(
              driver.config().capability(Express.ID) + Express.DEVICE_CONTROL,
              Express.INITIATE_FUNCTION_LEVEL_RESET);
      case DEVICE_RESET -> wire.client().submit(Command.DEVICE_RESET, new DeviceReset.Request());
      case BUS_MASTER_OFF -> word(Header.COMMAND, Header.COMMAND_MEMORY_SPACE);
      default -> throw new AssertionError(revocation);
    };
  }

  private CompletableFuture<Frame> word(int offset, int value) throws Exception {
    return wire.client()
        .submit(
            Command.REGION_WRITE,
            new RegionWrite.Request(
                offset, Wire.CONFIG, Unpooled.buffer(Short.BYTES).writeShortLE(value)));
  }

  /** Serves the memory, and counts what is asked for after the right to it has ended. */
  private static final class Watch implements DmaHandler {
    private final MemorySegment memory;
    private final Semaphore asked = new Semaphore(0);
    private final AtomicLong all = new AtomicLong();
    private final AtomicLong late = new AtomicLong();
    private volatile boolean over;

    Watch(MemorySegment memory) {
      this.memory = memory;
    }

    void live() {
      over = false;
    }

    void over() {
      over = true;
    }

    @Override
    public void read(long address, int count, ByteBuf into) {
      count();
      into.writeBytes(memory.asSlice(address - NvmeWire.RAM, count).asByteBuffer());
    }

    @Override
    public void write(long address, ByteBuf data) {
      count();
      byte[] bytes = ByteBufUtil.getBytes(data);
      memory.asSlice(address - NvmeWire.RAM, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
    }

    private void count() {
      all.incrementAndGet();
      asked.release();
      if (over) {
        late.incrementAndGet();
      }
    }
  }

  @Test
  void dataThatGoAwayFailTheirCommandsAndNoOthers() throws Exception {
    NvmeDriver driver = wire.start(Reach.DIRECTLY);
    long iova = 1L << 41;
    GuestMemory memory = wire.own(new GuestMemory("nvme-data", LARGE));
    MemorySegment poison = MemorySegment.ofArray(new byte[LARGE]).fill(POISON);
    NvmeBuffer data =
        new NvmeBuffer(
            DmaRange.of(new SegmentMemory(memory.bytes()), iova), driver.allocate(SMALL));
    NvmeBuffer own = driver.buffer(SMALL);
    List<NvmeQueue> queues = driver.createQueues(NvmeWire.QUEUES, ENTRIES);
    int failed = 0;
    for (int round = 0; round < ROUNDS; round++) {
      wire.client().dmaMap(Wire.READ_WRITE, 0, iova, LARGE, Optional.of(memory.file()));
      for (NvmeQueue queue : queues) {
        while (queue.outstanding() < ENTRIES - 2) {
          queue.put(NvmeWire.read(random.nextInt(1000), data));
        }
        queue.ring();
      }
      delay();
      wire.client().dmaUnmap(iova, LARGE);
      memory.bytes().copyFrom(poison);
      for (NvmeQueue queue : queues) {
        // Those before may all have been quicker than the unmap; this one is not.
        queue.put(NvmeWire.read(0, data));
        queue.ring();
        while (queue.outstanding() > 0) {
          CompletionEntry entry = queue.await();
          assertThat(entry.status()).isIn(Status.SUCCESS, Status.DATA_TRANSFER_ERROR);
          failed += entry.status() == Status.SUCCESS ? 0 : 1;
        }
        queue.succeed(NvmeWire.read(0, own));
      }
      assertThat(memory.bytes().mismatch(poison)).as("a byte that changed").isEqualTo(-1);
    }
    assertThat(failed).as("commands that failed").isGreaterThanOrEqualTo(ROUNDS * queues.size());
    assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
  }

  @Test
  void queuesThatGoAwayAreFatalUntilAReset() throws Exception {
    NvmeDriver driver = wire.driver(Reach.DIRECTLY);
    for (int round = 0; round < 5; round++) {
      NvmeWire.start(driver);
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      queue.succeed(NvmeCommands.flush());
      driver.device().unmap(driver.memory().memory());
      queue.put(NvmeCommands.flush());
      queue.ring();
      Wire.await("CSTS.CFS", () -> (driver.status() & NvmeRegisters.CSTS_CFS) != 0);
      restored(Revocation.MEMORY_UNMAPPED, driver);
      assertThat(driver.status() & NvmeRegisters.CSTS_CFS).as("until a reset").isNotZero();
      works(driver, round);
    }
  }
}
