package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.driver.socket.SocketDevice.Reach;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.storage.MemoryStorage;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Endpoints whose work throws what no work should: a driver learns of it, and need not wait. */
@Tag("polled")
@Timeout(60)
final class BrokenWorkTest {
  private static final int NORMAL_SHUTDOWN = 1 << 14;

  @TempDir private Path directory;

  /** Has memory for BAR 2 that throws at every access. */
  private record WithoutMemory(Endpoint endpoint) implements Endpoint {
    @Override
    public PciFunction function() {
      return endpoint.function();
    }

    @Override
    public void start(Host host) {
      endpoint.start(new HostWithoutMemory(host));
    }

    @Override
    public long read(int bar, long offset, AccessWidth width) {
      return endpoint.read(bar, offset, width);
    }

    @Override
    public void write(int bar, long offset, AccessWidth width, long value) {
      endpoint.write(bar, offset, width, value);
    }

    @Override
    public void reset(ResetKind kind) {
      endpoint.reset(kind);
    }
  }

  private record HostWithoutMemory(Host host) implements Host {
    @Override
    public Interrupts interrupts() {
      return host.interrupts();
    }

    @Override
    public MemorySegment memory(int bar) {
      try (Arena freed = Arena.ofShared()) {
        return freed.allocate(host.memory(bar).byteSize());
      }
    }

    @Override
    public Engine engine(String name) {
      return host.engine(name);
    }

    @Override
    public Timer timer(Runnable action, Consumer<Throwable> failed) {
      return host.timer(action, failed);
    }

    @Override
    public void clearDoorbell(int bar, long offset) {
      host.clearDoorbell(bar, offset);
    }
  }

  @Test
  void aChannelHalts() throws Exception {
    Path path = directory.resolve("hbm.sock");
    Endpoint broken = new WithoutMemory(new HbmEndpoint(Wire.config(DoorbellMode.TRAP)));
    try (EndpointServer _ = Serving.start("hbm", broken, path);
        SocketDevice device = new SocketDevice(NvmeWire.connect(path))) {
      HbmChannel channel = Wire.channel(device, 0);
      for (int time = 0; time < 2; time++) {
        channel.submit(
            Descriptor.nop().interrupt(),
            Descriptor.fill(1, 64).toLocal(0).interrupt(),
            Descriptor.nop().interrupt());
        assertThat(channel.driver().awaitFault(Wire.LIMIT)).as("vector 0").isTrue();
        channel.awaitInterrupt();
        Wire.halted(channel, ErrorCode.ABORTED);
        assertThat(channel.head()).isEqualTo(1);
        assertThat(channel.completed()).isEqualTo(1);
        assertThat(channel.driver().faultAddress()).isZero();
        assertThat(channel.driver().status()).isEqualTo(5);
        device.reset();
        channel.setUp();
        Wire.idle(channel);
      }
    }
  }

  /** Throws what it is told to. */
  private static final class BrokenStorage implements Storage {
    private final Storage storage = MemoryStorage.allocate(1 << 20);
    private volatile Runnable before = () -> {};

    @Override
    public long size() {
      return storage.size();
    }

    @Override
    public void read(long position, MemorySegment into) throws StorageException {
      before.run();
      storage.read(position, into);
    }

    @Override
    public void write(long position, MemorySegment from, boolean durable) throws StorageException {
      before.run();
      storage.write(position, from, durable);
    }

    @Override
    public void flush() throws StorageException {
      before.run();
      storage.flush();
    }

    @Override
    public long zero(long position, long length, boolean deallocate) throws StorageException {
      before.run();
      return storage.zero(position, length, deallocate);
    }

    @Override
    public long discard(long position, long length) throws StorageException {
      before.run();
      return storage.discard(position, length);
    }

    @Override
    public boolean readsZerosAfterDiscard() {
      return storage.readsZerosAfterDiscard();
    }

    @Override
    public boolean mayWait() {
      return storage.mayWait();
    }

    @Override
    public void close() {
      storage.close();
    }
  }

  private static int deeper(int depth) {
    return deeper(depth + 1) + 1;
  }

  private static final List<Runnable> MISTAKES =
      List.of(
          () -> {
            throw new IllegalStateException("broken");
          },
          () -> {
            throw new OutOfMemoryError("broken");
          },
          () -> deeper(0));

  @Test
  void commandsEndWithAnInternalErrorAndOthersGoOn() throws Exception {
    BrokenStorage storage = new BrokenStorage();
    try (NvmeWire wire =
        new NvmeWire(
            directory.resolve("nvme.sock"),
            NvmeWire.config(DoorbellMode.TRAP, NvmeWire.CMB_SIZE),
            storage)) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      NvmeQueue queue = driver.createQueue(1, 16);
      NvmeBuffer data = driver.buffer(GuestMemory.PAGE);
      for (Runnable mistake : MISTAKES) {
        storage.before = mistake;
        assertThat(queue.execute(NvmeWire.read(0, data)).status()).isEqualTo(Status.INTERNAL_ERROR);
        assertThat(queue.execute(NvmeWire.write(0, data)).status())
            .isEqualTo(Status.INTERNAL_ERROR);
        assertThat(queue.execute(NvmeCommands.flush()).status()).isEqualTo(Status.INTERNAL_ERROR);
        assertThat(
                queue
                    .execute(NvmeCommands.onBlocks(IoOpcode.WRITE_ZEROES, 0, 1, DataPointer.NONE))
                    .status())
            .isEqualTo(Status.INTERNAL_ERROR);
        storage.before = () -> {};
        queue.succeed(NvmeWire.read(0, data));
      }
      assertThat(driver.status() & NvmeRegisters.CSTS_CFS).isZero();
    }
  }

  /** A shutdown has no command whose status could tell. */
  @Test
  void aShutdownThatCannotFlushIsOverAndFatal() throws Exception {
    BrokenStorage storage = new BrokenStorage();
    try (NvmeWire wire =
        new NvmeWire(
            directory.resolve("nvme.sock"),
            NvmeWire.config(DoorbellMode.TRAP, NvmeWire.CMB_SIZE),
            storage)) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      storage.before = MISTAKES.getFirst();
      int configuration = wire.client().readInt(NvmeRegisters.BAR, NvmeRegisters.CC);
      wire.client().writeInt(NvmeRegisters.BAR, NvmeRegisters.CC, configuration | NORMAL_SHUTDOWN);
      Wire.await("the shutdown ends", () -> (driver.status() >>> 2 & 3) == 2);
      assertThat(driver.status() & NvmeRegisters.CSTS_CFS).isNotZero();
    }
  }
}
