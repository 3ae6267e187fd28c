package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.ConfigLayout.Express;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.FileKind;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.HugePages;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Everything that ends a device's right to memory, at moments that chance chooses during copies:
 * after the reply no byte changes, and no message comes.
 */
@Tag("polled")
@Tag("long")
@Timeout(240)
final class RevocationRaceTest {
  private static final int ROUNDS = 60;
  private static final long SIZE = 4 << 20;
  private static final long SOURCE = 1L << 32;
  private static final long TARGET = 1L << 33;
  private static final byte CANARY = 0x5a;

  /** Requests between the reply and the last look. */
  private static final int OPERATIONS = 10;

  /** Delays before a revocation, in spins. */
  private static final int LONGEST_DELAY = 100_000;

  private enum Revocation {
    UNMAP,
    DEVICE_RESET,
    FUNCTION_LEVEL_RESET,
    BUS_MASTER_OFF
  }

  @TempDir private Path directory;
  private final Random random = new Random(1);
  private Wire wire;
  private VfioUserClient client;
  private HbmChannel first;
  private HbmChannel second;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.connected(directory);
    client = wire.client();
    first = wire.channel(0);
    second = wire.channel(1);
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  /** What a target is in: touched, copied by the kernel, or written outside the gate. */
  private enum Target {
    SEALED,
    RESIZABLE,
    HUGE_PAGES,
    DISK;

    FileDescriptor create() throws Exception {
      return switch (this) {
        case SEALED -> SharedMemory.create("race", SIZE);
        case RESIZABLE -> FileKind.MEMFD.create(SIZE);
        case HUGE_PAGES -> FileKind.HUGE_MEMFD.create(SIZE);
        case DISK -> FileKind.DISK_FILE.create(SIZE);
      };
    }
  }

  private static Stream<Arguments> everyPair() {
    return Arrays.stream(Revocation.values())
        .flatMap(revocation ->
            Arrays.stream(Target.values()).map(target -> Arguments.of(revocation, target)));
  }

  @ParameterizedTest
  @MethodSource("everyPair")
  void noByteChangesAfterTheReply(Revocation revocation, Target kind) throws Exception {
    client.dmaMap(
        Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(wire.memory(SIZE).randomise(3).file()));
    MemorySegment canary = MemorySegment.ofArray(new byte[(int) SIZE]).fill(CANARY);
    try (AutoCloseable _ = kind == Target.HUGE_PAGES ? HugePages.withFree(2) : () -> {};
        FileDescriptor file = kind.create();
        Mapping mapping = SharedMemory.map(file, 0, SIZE, SharedMemory.Access.READ_WRITE)) {
      MemorySegment target = mapping.segment();
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(file));
      for (int round = 0; round < ROUNDS; round++) {
        target.set(GuestMemory.LONG, 0, 0);
        // Two engines in turn over the same bytes, each with a pattern of its own.
        endless(first, Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
        endless(second, Descriptor.fill(round, SIZE).to(TARGET));
        Wire.await("a copy", () -> target.get(GuestMemory.LONG, 0) != 0 || second.head() > 0);
        delay();
        revoke(revocation);
        target.copyFrom(canary);
        for (int i = 0; i < OPERATIONS; i++) {
          assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
        }
        assertThat(target.mismatch(canary)).as("a byte that changed").isEqualTo(-1);
        restore(revocation, file);
      }
    }
  }

  private static void endless(HbmChannel channel, Descriptor entry) throws Exception {
    Descriptor[] entries = new Descriptor[Wire.ENTRIES - 1];
    Arrays.fill(entries, entry);
    channel.submit(entries);
  }

  private void delay() {
    for (int i = random.nextInt(LONGEST_DELAY); i > 0; i--) {
      Thread.onSpinWait();
    }
  }

  private void revoke(Revocation revocation) throws Exception {
    switch (revocation) {
      case UNMAP -> client.dmaUnmap(TARGET, SIZE);
      case DEVICE_RESET -> client.reset();
      case FUNCTION_LEVEL_RESET -> first.driver().device().reset();
      case BUS_MASTER_OFF -> first.driver().config().busMaster(false);
    }
  }

  private void restore(Revocation revocation, FileDescriptor file) throws Exception {
    if (revocation == Revocation.UNMAP) {
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.of(file));
    }
    restart();
  }

  private void restart() throws Exception {
    client.reset();
    first.setUp();
    second.setUp();
  }

  @ParameterizedTest
  @EnumSource(names = "UNMAP", mode = EnumSource.Mode.EXCLUDE)
  void noMessageComesAfterTheReply(Revocation revocation) throws Exception {
    long large = 64 << 20;
    client.dmaMap(
        Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.of(wire.memory(SIZE).randomise(4).file()));
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, large, Optional.empty());
    Watch watch = new Watch();
    client.serveDma(watch);
    for (int round = 0; round < ROUNDS; round++) {
      watch.live();
      endless(first, Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
      endless(second, Descriptor.copy(SIZE).from(TARGET + (32 << 20)).to(SOURCE));
      assertThat(watch.asked.tryAcquire(60, TimeUnit.SECONDS)).isTrue();
      delay();
      // The reader gets replies and requests in the order of the wire, and tells both.
      CompletableFuture<Frame> replied = send(revocation);
      replied.thenRun(watch::over);
      Frame reply = replied.get(60, TimeUnit.SECONDS);
      assertThat(reply.header().error()).isFalse();
      reply.release();
      for (int i = 0; i < OPERATIONS; i++) {
        assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
      }
      assertThat(watch.late.get()).as("requests after the reply").isZero();
      restart();
    }
    System.out.printf(
        "%s by messages: %d requests in %d rounds%n", revocation, watch.all.get(), ROUNDS);
  }

  private CompletableFuture<Frame> send(Revocation revocation) throws Exception {
    return switch (revocation) {
      case DEVICE_RESET -> client.submit(Command.DEVICE_RESET, new DeviceReset.Request());
      case FUNCTION_LEVEL_RESET ->
          client.submit(
              Command.REGION_WRITE,
              word(first.driver().config().capability(Express.ID) + 8, 1 << 15));
      case BUS_MASTER_OFF ->
          client.submit(Command.REGION_WRITE, word(Header.COMMAND, Header.COMMAND_MEMORY_SPACE));
      case UNMAP -> throw new AssertionError(revocation);
    };
  }

  private static RegionWrite.Request word(int offset, int value) {
    return new RegionWrite.Request(
        offset, Wire.CONFIG, Unpooled.buffer(Short.BYTES).writeShortLE(value));
  }

  /** Serves the memory, and counts what is asked for after the right to it has ended. */
  private static final class Watch implements DmaHandler {
    private final Semaphore asked = new Semaphore(0);
    private final AtomicLong all = new AtomicLong();
    private final AtomicLong late = new AtomicLong();
    private volatile boolean over;

    void live() {
      over = false;
      asked.drainPermits();
    }

    void over() {
      over = true;
    }

    @Override
    public void read(long address, int count, ByteBuf into) {
      count();
      into.writeZero(count);
    }

    @Override
    public void write(long address, ByteBuf data) {
      count();
    }

    private void count() {
      all.incrementAndGet();
      asked.release();
      if (over) {
        late.incrementAndGet();
      }
    }
  }
}
