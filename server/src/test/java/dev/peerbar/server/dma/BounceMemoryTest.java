package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.ProcessFacts;
import dev.peerbar.server.fixture.ServedProgram;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What copies between two places that are reached by messages go through, and where that stays. */
@Tag("polled")
@Timeout(240)
final class BounceMemoryTest {
  private static final long SIZE = 2 << 20;
  private static final long SOURCE = 1L << 32;
  private static final long TARGET = 1L << 33;
  private static final int RESETS = 400;

  @TempDir private Path directory;

  /** Answers reads, and tells of the first write of a copy. */
  private static final class Reached implements DmaHandler {
    private final Semaphore writing = new Semaphore(0);

    @Override
    public void read(long address, int count, ByteBuf into) {
      into.writeZero(count);
    }

    @Override
    public void write(long address, ByteBuf data) {
      writing.release();
    }
  }

  private record Facts(long descriptors, long bounces, long resident) {
    static Facts of(long pid) throws IOException {
      try (Stream<String> maps = Files.lines(Path.of("/proc/" + pid + "/maps"))) {
        return new Facts(
            OpenFiles.count(pid),
            maps.filter(line -> line.contains("memfd:bounce")).count(),
            ProcessFacts.residentKib(pid));
      }
    }
  }

  /** Nothing is left to a collector, which has no reason to run in this program. */
  @Test
  void resetsUnderLoadLeaveNothingBehind() throws Exception {
    try (ServedProgram program = new ServedProgram(directory, 256);
        SocketDevice device = new SocketDevice(program.connect())) {
      VfioUserClient client = device.client();
      HbmChannel channel = Wire.channel(device, 0);
      Reached reached = new Reached();
      client.serveDma(reached);
      client.dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.empty());
      client.dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.empty());
      Facts warm = null;
      for (int i = 0; i < RESETS; i++) {
        if (i == RESETS / 4) {
          warm = Facts.of(program.pid());
        }
        reached.writing.drainPermits();
        channel.submit(Descriptor.copy(SIZE).from(SOURCE).to(TARGET));
        assertThat(reached.writing.tryAcquire(60, TimeUnit.SECONDS)).isTrue();
        client.reset();
        channel.setUp();
        channel.interrupted();
      }
      Facts after = Facts.of(program.pid());
      System.out.printf("%d resets amid copies: %s, then %s%n", RESETS * 3 / 4, warm, after);
      assertThat(after.descriptors).isLessThanOrEqualTo(warm.descriptors);
      assertThat(after.bounces).isEqualTo(1);
      assertThat(after.resident - warm.resident).as("KiB more").isLessThan(64 << 10);
    }
  }

  /** An engine that has nothing to do for long gives it back, with its thread. */
  @Test
  @Tag("long")
  void goesWithTheThread() throws Exception {
    try (Wire wire = Wire.connected(directory)) {
      HbmChannel channel = wire.channel(0);
      wire.client().dmaMap(Wire.READ_WRITE, 0, SOURCE, SIZE, Optional.empty());
      wire.client().dmaMap(Wire.READ_WRITE, 0, TARGET, SIZE, Optional.empty());
      wire.client().serveDma(new Reached());
      channel.run(Descriptor.copy(SIZE).from(SOURCE).to(TARGET).interrupt());
      Wire.idle(channel);
      assertThat(OpenFiles.mappings("memfd:bounce")).isPositive();
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while (OpenFiles.mappings("memfd:bounce") > 0) {
        assertThat(System.nanoTime()).as("the memory is freed").isLessThan(deadline);
        Thread.sleep(100);
      }
    }
  }
}
