package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListeningPlace;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.HbmDriver;
import dev.peerbar.server.fixture.NvmeBuffer;
import dev.peerbar.server.fixture.NvmeDriver;
import dev.peerbar.server.fixture.NvmeQueue;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.fixture.RingEntry;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.storage.MemoryStorage;
import dev.peerbar.storage.Storage;
import dev.peerbar.storage.StorageException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Endpoints whose work throws what no work should: a driver learns of it, and need not wait. */
@Timeout(60)
final class BrokenWorkTest {
  private static final int OWN_FAILURE = 5;
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
    try (EndpointServer _ = EndpointServer.start("hbm", broken, new ListeningPlace.AtPath(path));
        VfioUserClient client = NvmeWire.connect(path);
        HbmDriver driver = new HbmDriver(client, 0);
        FileDescriptor fault = EventDescriptor.create()) {
      client.setIrqEvents(PciIrq.MSIX, 0, fault);
      for (int time = 0; time < 2; time++) {
        driver.submit(RingEntry.nop(), RingEntry.fill(1, 0, 64).toBar(), RingEntry.nop());
        assertThat(EventDescriptor.await(fault, Wire.LIMIT)).as("vector 0").isPositive();
        driver.awaitInterrupt();
        driver.halted(OWN_FAILURE);
        assertThat(driver.head()).isEqualTo(1);
        assertThat(driver.completed()).isEqualTo(1);
        assertThat(driver.faultAddress()).isZero();
        assertThat(client.readInt(Wire.REGISTERS, Wire.STATUS)).isEqualTo(5);
        driver.functionLevelReset();
        driver.start();
        driver.idle();
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
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      NvmeQueue queue = driver.createQueue(1, 16);
      NvmeBuffer data = driver.ram(GuestMemory.PAGE);
      for (Runnable mistake : MISTAKES) {
        storage.before = mistake;
        queue.fail(Status.INTERNAL_ERROR, NvmeDriver.read(0, data));
        queue.fail(Status.INTERNAL_ERROR, NvmeDriver.write(0, data));
        queue.fail(Status.INTERNAL_ERROR, NvmeDriver.flush());
        queue.fail(Status.INTERNAL_ERROR, NvmeDriver.command(IoOpcode.WRITE_ZEROES, 0, 1));
        storage.before = () -> {};
        queue.succeed(NvmeDriver.read(0, data));
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
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      storage.before = MISTAKES.getFirst();
      int configuration = wire.client().readInt(NvmeRegisters.BAR, NvmeRegisters.CC);
      wire.client().writeInt(NvmeRegisters.BAR, NvmeRegisters.CC, configuration | NORMAL_SHUTDOWN);
      Wire.await("the shutdown ends", () -> (driver.status() >>> 2 & 3) == 2);
      assertThat(driver.status() & NvmeRegisters.CSTS_CFS).isNotZero();
    }
  }
}
