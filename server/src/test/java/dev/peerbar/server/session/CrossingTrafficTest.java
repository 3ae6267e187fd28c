package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Capabilities.TwinSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Hundreds of requests of several threads on their way, while both channels of the device move data
 * by requests of its own: every reply is the right one, every byte arrives.
 */
@Tag("polled")
@Timeout(240)
final class CrossingTrafficTest {
  private static final int ROUNDS = 25;
  private static final int OUTSTANDING = 200;
  private static final int COPIED = 192 << 10;

  /** What the register and region threads use of BAR 2, above what the channels use. */
  private static final long REGION_AREA = 2L * COPIED;

  private static final int REGION_PIECE = 3000;

  @TempDir private Path directory;
  private final AtomicBoolean done = new AtomicBoolean();
  private final AtomicLong replies = new AtomicLong();

  private static VfioUserClient connect(Wire wire, boolean twin) throws Exception {
    VfioUserClient client = VfioUserClient.connect(wire.path());
    client.setTimeout(Wire.LIMIT.multipliedBy(3));
    Capabilities agreed =
        client
            .negotiate(
                new Capabilities(
                    1,
                    16 << 10,
                    65535,
                    4096,
                    Optional.of(new TwinSocket(twin, OptionalInt.empty())),
                    true,
                    Optional.empty()))
            .capabilities();
    assertThat(agreed.twinSocket().isPresent()).isEqualTo(twin);
    return client;
  }

  @ParameterizedTest(name = "twin socket: {0}")
  @ValueSource(booleans = {false, true})
  void everyReplyAndEveryByteIsRight(boolean twin) throws Exception {
    try (Wire wire = Wire.unconnected(directory);
        SocketDevice device = new SocketDevice(connect(wire, twin));
        ExecutorService threads = Executors.newCachedThreadPool()) {
      VfioUserClient client = device.client();
      // A thread each, from here on: what both use is the client, which is for any thread.
      HbmChannel first = Wire.channel(device, 0);
      HbmChannel second = Wire.channel(device, 1);
      List<Future<?>> readers = new ArrayList<>();
      readers.add(threads.submit(() -> readRegisters(client)));
      readers.add(threads.submit(() -> writeAndReadScratch(client)));
      readers.add(threads.submit(() -> writeAndReadMemory(client, 0)));
      readers.add(threads.submit(() -> writeAndReadMemory(client, 1)));
      List<Future<?>> channels = new ArrayList<>();
      channels.add(threads.submit(() -> copyBothWays(client, first)));
      channels.add(threads.submit(() -> copyBothWays(client, second)));
      try {
        for (Future<?> channel : channels) {
          channel.get(200, TimeUnit.SECONDS);
        }
      } finally {
        done.set(true);
      }
      for (Future<?> reader : readers) {
        reader.get(60, TimeUnit.SECONDS);
      }
    }
  }

  private Void copyBothWays(VfioUserClient client, HbmChannel channel) throws Exception {
    int index = channel.index();
    long source = 0x1_0000_0000L * (index + 1);
    long target = source + 0x1000_0000L;
    MemorySegment from = Arena.ofAuto().allocate(COPIED);
    MemorySegment to = Arena.ofAuto().allocate(COPIED);
    client.memory().put(source, from);
    client.memory().put(target, to);
    client.dmaMap(Wire.READ_WRITE, 0, source, COPIED, Optional.empty());
    client.dmaMap(Wire.READ_WRITE, 0, target, COPIED, Optional.empty());
    long bar = (long) index * COPIED;
    // However the threads take turns, until the copies have not been alone.
    for (int round = 0; round < ROUNDS || replies.get() <= 4L * OUTSTANDING; round++) {
      GuestMemory.randomise(from, 100L * index + round);
      to.fill((byte) 0);
      channel.run(Descriptor.copy(COPIED).from(source).toLocal(bar).interrupt());
      channel.run(Descriptor.copy(COPIED).fromLocal(bar).to(target).interrupt());
      assertThat(to.mismatch(from)).as("round %d of channel %d", round, index).isEqualTo(-1);
      // And from message memory to message memory.
      to.fill((byte) 0);
      channel.run(Descriptor.copy(COPIED).from(source).to(target).interrupt());
      assertThat(to.mismatch(from)).as("round %d of channel %d", round, index).isEqualTo(-1);
    }
    Wire.idle(channel);
    return null;
  }

  /** A request on its way, and what the reply has to say. */
  private record Expected(CompletableFuture<Frame> reply, Optional<byte[]> data) {}

  /** Keeps {@link #OUTSTANDING} requests on their way. */
  private final class Pipeline {
    private final VfioUserClient client;
    private final Deque<Expected> underWay = new ArrayDeque<>();

    Pipeline(VfioUserClient client) {
      this.client = client;
    }

    void read(int region, long offset, byte[] expected) throws Exception {
      underWay.add(
          new Expected(
              client.submit(
                  Command.REGION_READ, new RegionRead.Request(offset, region, expected.length)),
              Optional.of(expected)));
      awaitAllBut(OUTSTANDING);
    }

    void write(int region, long offset, byte[] data) throws Exception {
      underWay.add(
          new Expected(
              client.submit(
                  Command.REGION_WRITE,
                  new RegionWrite.Request(offset, region, Unpooled.wrappedBuffer(data))),
              Optional.empty()));
      awaitAllBut(OUTSTANDING);
    }

    void awaitAllBut(int many) throws Exception {
      while (underWay.size() > many) {
        Expected next = underWay.remove();
        Frame reply = next.reply().get(60, TimeUnit.SECONDS);
        try {
          assertThat(reply.header().error()).isFalse();
          if (next.data().isPresent()) {
            byte[] read = ByteBufUtil.getBytes(RegionRead.Reply.decode(reply.payload()).data());
            assertThat(read).isEqualTo(next.data().get());
          }
        } finally {
          reply.release();
        }
        replies.incrementAndGet();
      }
    }
  }

  private static byte[] little(int value) {
    return Unpooled.buffer(Integer.BYTES).writeIntLE(value).array();
  }

  private Void readRegisters(VfioUserClient client) throws Exception {
    Pipeline pipeline = new Pipeline(client);
    while (!done.get()) {
      pipeline.read(Wire.REGISTERS, Wire.ID, little(Wire.ID_VALUE));
      pipeline.read(Wire.CONFIG, 0, little(0x7032_1234));
    }
    pipeline.awaitAllBut(0);
    return null;
  }

  private Void writeAndReadScratch(VfioUserClient client) throws Exception {
    Pipeline pipeline = new Pipeline(client);
    for (int value = 1; !done.get(); value++) {
      pipeline.write(Wire.REGISTERS, Wire.SCRATCH, little(value));
      pipeline.read(Wire.REGISTERS, Wire.SCRATCH, little(value));
    }
    pipeline.awaitAllBut(0);
    return null;
  }

  private Void writeAndReadMemory(VfioUserClient client, int thread) throws Exception {
    Random random = new Random(thread);
    Pipeline pipeline = new Pipeline(client);
    MemorySegment model = Arena.ofAuto().allocate(64L << 10);
    long base = REGION_AREA + thread * model.byteSize();
    client.regionWrite(Wire.MEMORY, base, model.toArray(ValueLayout.JAVA_BYTE));
    while (!done.get()) {
      int length = 1 + random.nextInt(REGION_PIECE);
      long at = random.nextLong(model.byteSize() - length);
      byte[] data = new byte[length];
      if (random.nextBoolean()) {
        random.nextBytes(data);
        model.asSlice(at, length).copyFrom(MemorySegment.ofArray(data));
        pipeline.write(Wire.MEMORY, base + at, data);
      } else {
        MemorySegment.ofArray(data).copyFrom(model.asSlice(at, length));
        pipeline.read(Wire.MEMORY, base + at, data);
      }
    }
    pipeline.awaitAllBut(0);
    return null;
  }
}
