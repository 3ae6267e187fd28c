package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A client in a process of its own that is killed (SIGKILL) amid something. */
@Tag("polled")
@Timeout(180)
final class KilledClientTest {
  private static final long LIMIT_SECONDS = 60;
  private static final int MARK = 0x600d_600d;
  private static final String READY = "ready";

  /** What the client is at when it dies. */
  enum Amid {
    /** Half of a message has been sent, with a descriptor. */
    A_MESSAGE,
    /** A channel copies memory that is mapped by the server. */
    A_DIRECT_TRANSFER,
    /** A channel waits for the client to answer. */
    A_TRANSFER_BY_MESSAGES
  }

  @TempDir private Path directory;
  private Wire wire;
  private Process client;
  private long open;

  /** The client. */
  static final class Doomed {
    private static final long RAM = 0x1_0000_0000L;
    private static final long BEYOND = 0x2_0000_0000L;
    private static final long SIZE = 64 << 20;

    private Doomed() {}

    /**
     * Uses an endpoint for ever.
     *
     * @param arguments the socket, and what to be at
     */
    public static void main(String[] arguments) throws Exception {
      VfioUserClient client = VfioUserClient.connect(Path.of(arguments[0]));
      client.negotiate(Wire.capabilities());
      client.writeInt(Wire.REGISTERS, Wire.SCRATCH, MARK);
      GuestMemory memory = new GuestMemory("doomed", SIZE);
      client.dmaMap(Wire.READ_WRITE, 0, RAM, SIZE, Optional.of(memory.file()));
      FileDescriptor event = EventDescriptor.create();
      client.setIrqEvents(PciIrq.ERROR, 0, event);
      HbmChannel channel = Wire.channel(new SocketDevice(client), 0);
      switch (Amid.valueOf(arguments[1])) {
        case A_MESSAGE -> {
          ByteBuf message =
              Wire.message(1, Command.DMA_MAP.code(), 0, Unpooled.buffer().writeZero(32));
          client.send(message.slice(0, Header.SIZE + 5), event);
        }
        case A_DIRECT_TRANSFER -> {
          Descriptor[] fills = new Descriptor[Wire.ENTRIES - 1];
          Arrays.fill(fills, Descriptor.fill(1, SIZE).to(RAM));
          channel.submit(fills);
        }
        case A_TRANSFER_BY_MESSAGES -> {
          client.dmaMap(Wire.READ_WRITE, 0, BEYOND, SIZE, Optional.empty());
          CountDownLatch asked = new CountDownLatch(1);
          client.serveDma(new Silent(asked));
          channel.submit(Descriptor.copy(Wire.BAR_SIZE).from(BEYOND).toLocal(0).interrupt());
          asked.await();
        }
      }
      System.out.println(READY);
      new CountDownLatch(1).await();
    }
  }

  /** Never answers. */
  private record Silent(CountDownLatch asked) implements DmaHandler {
    @Override
    public void read(long address, int count, ByteBuf into) {
      asked.countDown();
      try {
        new CountDownLatch(1).await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public void write(long address, ByteBuf data) {}
  }

  @BeforeEach
  void serve() throws Exception {
    wire = Wire.unconnected(directory);
    open = OpenFiles.count();
    wire.connect().close();
    Wire.await("the first client's end", () -> OpenFiles.count() == open);
  }

  @AfterEach
  void stop() {
    if (client != null) {
      client.destroyForcibly();
    }
    wire.close();
  }

  @ParameterizedTest
  @EnumSource
  void leavesNothingButTheDevicesState(Amid amid) throws Exception {
    client =
        new ProcessBuilder(
                ProcessHandle.current().info().command().orElseThrow(),
                "-cp",
                System.getProperty("java.class.path"),
                Doomed.class.getName(),
                wire.path().toString(),
                amid.name())
            .redirectError(directory.resolve("stderr.txt").toFile())
            .start();
    String line =
        CompletableFuture.supplyAsync(
                () -> client.inputReader().lines().findFirst().orElse("the end"))
            .get(LIMIT_SECONDS, TimeUnit.SECONDS);
    assertThat(line).isEqualTo(READY);
    assertThat(OpenFiles.mappings("doomed")).isPositive();

    client.destroyForcibly();
    assertThat(client.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    client.inputReader().close();
    client.outputWriter().close();
    Wire.await(
        "everything freed", () -> OpenFiles.mappings("doomed") == 0 && OpenFiles.count() == open);

    try (SocketDevice next = new SocketDevice(wire.connect())) {
      HbmChannel channel = Wire.channel(next, 1);
      assertThat(next.client().readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(MARK);
      channel.run(Descriptor.nop().interrupt());
      Wire.idle(channel);
    }
  }
}
