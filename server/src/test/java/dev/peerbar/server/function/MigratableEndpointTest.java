package dev.peerbar.server.function;

import static dev.peerbar.protocol.MigrationState.State.ERROR;
import static dev.peerbar.protocol.MigrationState.State.RESUMING;
import static dev.peerbar.protocol.MigrationState.State.RUNNING;
import static dev.peerbar.protocol.MigrationState.State.STOP;
import static dev.peerbar.protocol.MigrationState.State.STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Migratable;
import dev.peerbar.endpoint.StateReader;
import dev.peerbar.endpoint.StateWriter;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.InvalidStateException;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.StateStream;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a server promises an endpoint that can be migrated: one with nothing but a register. */
@Tag("polled")
class MigratableEndpointTest {
  private static final Logger LOG = LoggerFactory.getLogger(MigratableEndpointTest.class);
  private static final int PIECE = 4096;

  @TempDir Path directory;
  private final List<AutoCloseable> owned = new ArrayList<>();

  @AfterEach
  void stop() throws Exception {
    for (AutoCloseable resource : owned.reversed()) {
      resource.close();
    }
  }

  private VfioUserClient serve(String name, Counter endpoint) throws IOException {
    Path path = directory.resolve(name);
    owned.add(Serving.start(name, endpoint, path));
    VfioUserClient client = VfioUserClient.connect(path);
    owned.add(client);
    client.setTimeout(Wire.LIMIT);
    client.negotiate(Wire.capabilities());
    return client;
  }

  @Test
  void aRegisterAloneMoves() throws Exception {
    VfioUserClient source = serve("source", new Counter(1));
    VfioUserClient target = serve("target", new Counter(1));
    source.writeInt(Wire.REGISTERS, 0, 4711);
    source.migrateTo(STOP_COPY);
    byte[] stream = StateStream.read(source, PIECE);
    target.migrateTo(RESUMING);
    StateStream.write(target, stream, 11);
    target.migrateTo(RUNNING);
    assertThat(target.readInt(Wire.REGISTERS, 0)).isEqualTo(4711);
  }

  @Test
  void anotherVersionOfTheEndpointsStateIsRefused() throws Exception {
    VfioUserClient source = serve("source", new Counter(1));
    VfioUserClient target = serve("target", new Counter(2));
    source.migrateTo(STOP_COPY);
    byte[] stream = StateStream.read(source, PIECE);
    target.migrateTo(RESUMING);
    refuses(Errno.EINVAL, () -> StateStream.write(target, stream, PIECE));
  }

  @Test
  void itIsPausedWhenItsWorkHasBeenLeft() throws Exception {
    Counter endpoint = new Counter(1);
    CountDownLatch leave = new CountDownLatch(1);
    endpoint.beforeLeaving = () -> computing(leave, 200);
    VfioUserClient client = serve("busy", endpoint);
    client.writeInt(Wire.REGISTERS, 4, 1);
    await(endpoint.entered);
    client.migrateTo(STOP);
    assertThat(endpoint.pausedInside).isFalse();
    assertThat(endpoint.inside.get()).isFalse();
  }

  @Test
  void anEngineThatDoesNotStopIsAnError() throws Exception {
    Counter endpoint = new Counter(1);
    CountDownLatch leave = new CountDownLatch(1);
    endpoint.beforeLeaving = () -> computing(leave, Wire.LIMIT.toMillis());
    VfioUserClient client = serve("stuck", endpoint);
    owned.add(leave::countDown);
    client.writeInt(Wire.REGISTERS, 4, 1);
    await(endpoint.entered);
    refuses(Errno.EIO, () -> client.migrateTo(STOP));
    assertThat(client.migrationState()).isEqualTo(ERROR);
    client.reset();
    assertThat(client.migrationState()).isEqualTo(RUNNING);
  }

  @Test
  void aPinThatIsAssertedWhileStoppedWaits() throws Exception {
    VfioUserClient client = serve("pin", new Counter(1));
    FileDescriptor event = EventDescriptor.create();
    owned.add(event);
    client.setIrqEvents(PciIrq.INTX, 0, event);
    client.migrateTo(STOP);
    client.writeInt(Wire.REGISTERS, 8, 1);
    assertThat(EventDescriptor.await(event, Duration.ZERO)).isZero();
    client.migrateTo(RUNNING);
    assertThat(EventDescriptor.await(event, Wire.LIMIT)).isPositive();
  }

  private static void computing(CountDownLatch until, long milliseconds) {
    try {
      boolean told = until.await(milliseconds, TimeUnit.MILLISECONDS);
      LOG.debug("left, told to: {}", told);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void await(CountDownLatch latch) throws InterruptedException {
    assertThat(latch.await(Wire.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
  }

  private interface Request {
    void send() throws IOException;
  }

  private static void refuses(Errno errno, Request request) {
    assertThatThrownBy(request::send)
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }

  /**
   * A register at 0; a write at 4 starts work that goes on until it is ended, one at 8 asserts the
   * pin.
   */
  private static final class Counter implements Migratable {
    private final PciFunction function =
        PciFunction.builder()
            .identity(0x1234, 2)
            .classCode(0x120000)
            .interruptPin(1)
            .registers(0, 4096)
            .build();
    private final int version;
    private final CountDownLatch entered = new CountDownLatch(1);
    private final AtomicBoolean inside = new AtomicBoolean();
    private volatile boolean pausedInside;
    private Runnable beforeLeaving = () -> {};
    private Engine engine;
    private Interrupts interrupts;
    private long value;

    Counter(int version) {
      this.version = version;
    }

    @Override
    public PciFunction function() {
      return function;
    }

    @Override
    public void start(Host host) {
      engine = host.engine("work");
      interrupts = host.interrupts();
    }

    @Override
    public long read(int bar, long offset, AccessWidth width) {
      return value;
    }

    @Override
    public void write(int bar, long offset, AccessWidth width, long newValue) {
      if (offset == 0) {
        value = newValue;
      } else if (offset == 8) {
        interrupts.pin(true);
      } else {
        engine.submit(this::work);
      }
    }

    private void work(Job job) throws JobEndedException {
      MemorySegment bytes = Arena.ofAuto().allocate(2);
      inside.set(true);
      entered.countDown();
      try {
        while (true) {
          job.dma().local(bytes.asSlice(0, 1), bytes.asSlice(1, 1));
        }
      } finally {
        beforeLeaving.run();
        inside.set(false);
      }
    }

    @Override
    public void reset(ResetKind kind) {
      value = 0;
    }

    @Override
    public int stateVersion() {
      return version;
    }

    @Override
    public void pause() {
      pausedInside = inside.get();
    }

    @Override
    public void resume() {}

    @Override
    public void save(StateWriter state) {
      state.putInt(value);
    }

    @Override
    public void restore(StateReader state) throws InvalidStateException {
      long saved = state.getInt();
      state.end();
      value = saved;
    }
  }
}
