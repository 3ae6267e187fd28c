package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.ProcessFacts;
import dev.peerbar.server.fixture.StallWatch;
import dev.peerbar.server.fixture.Twins;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.fuzz.FuzzClient;
import dev.peerbar.server.fuzz.FuzzScript;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Clients that send and do not receive, or receive and do not answer. */
@Tag("long")
@Timeout(240)
final class SilentClientTest {
  private static final long FAR = 1L << 40;
  private static final long NEAR = 1L << 41;
  private static final long SIZE = 4 << 20;

  /** Twice what may wait to be sent, and as much for the allocator's own. */
  private static final long MOST_BUFFERS = 96 << 20;

  /** A server that takes nothing for so long has stopped reading. */
  private static final Duration PATIENCE = Duration.ofSeconds(1);

  @TempDir private Path directory;
  private Wire wire;
  private Wire other;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.unconnected(directory);
    other = Wire.connected(Files.createDirectory(directory.resolve("other")));
  }

  @AfterEach
  void stop() {
    wire.close();
    other.close();
  }

  @Test
  void largeReadsWhoseRepliesNobodyReadsFillOnlySoMuch() throws Exception {
    neverReads("1 MiB reads", new RegionRead.Request(0, Wire.MEMORY, 1 << 20));
  }

  @Test
  void registerReadsWhoseRepliesNobodyReadsFillOnlySoMuch() throws Exception {
    neverReads("64 KiB register reads", new RegionRead.Request(0, Wire.REGISTERS, 64 << 10));
  }

  @Test
  void smallReadsWhoseRepliesNobodyReadsFillOnlySoMuch() throws Exception {
    neverReads("4 byte reads", new RegionRead.Request(0, Wire.REGISTERS, 4));
  }

  private void neverReads(String what, RegionRead.Request read) throws Exception {
    // 8,000 requests fit into one receive of the server.
    ByteBuf requests = Unpooled.buffer();
    for (int i = 0; i < 500; i++) {
      requests.writeBytes(Wire.message(i, Command.REGION_READ.code(), 0, Wire.bytes(read)));
    }
    long open = OpenFiles.count();
    // The allocator keeps some of what it had, which the second time must not add up.
    long before = ProcessFacts.directBytes();
    neverReads(what, requests, before);
    Wire.await("all freed", () -> OpenFiles.count() <= open);
    neverReads(what, requests, before);
    Wire.await("all freed", () -> OpenFiles.count() <= open);
    try (VfioUserClient next = wire.connect()) {
      assertThat(next.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    }
  }

  private void neverReads(String what, ByteBuf requests, long before) throws Exception {
    long sent = 0;
    long most;
    try (Peak peak = new Peak();
        StallWatch watch = new StallWatch(other.client());
        MessageSocket raw = new MessageSocket(UnixSocket.connect(wire.path(), Wire.LIMIT))) {
      negotiate(raw);
      try {
        while (sent < 2_000_000) {
          raw.send(requests.retainedDuplicate(), List.of(), PATIENCE);
          sent += 500;
        }
      } catch (SocketTimeoutException e) {
        // As it must be: the server does not read on.
      }
      most = peak.most() - before;
      System.out.printf(
          "%s that nobody takes the replies of: %d sent, at most %d KiB of buffers; another"
              + " endpoint's longest read %d us of %d%n",
          what, sent, most >> 10, watch.longestMicros(), watch.reads());
      assertThat(sent).as("the server stops reading").isLessThan(2_000_000);
      assertThat(most).isLessThan(MOST_BUFFERS);
    }
  }

  private static void negotiate(MessageSocket raw) throws IOException {
    raw.send(
        Wire.message(
            1,
            Command.VERSION.code(),
            0,
            Wire.bytes(new Version.Request(0, 1, Wire.capabilities()))),
        List.of(),
        Wire.LIMIT);
    raw.receive(Wire.LIMIT).release();
  }

  /** The most that Netty's buffers came to. */
  private static final class Peak implements AutoCloseable {
    private volatile long most;
    private volatile boolean over;
    private final Thread watcher = Thread.ofPlatform().daemon().start(this::watch);

    private void watch() {
      while (!over) {
        most = Math.max(most, ProcessFacts.directBytes());
        Thread.onSpinWait();
        Thread.yield();
      }
    }

    long most() {
      return most;
    }

    @Override
    public void close() {
      over = true;
      try {
        watcher.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @Test
  void requestsThatAreNeverReceivedKeepNoMemory() throws Exception {
    // With less than what a server is ready to have unsent, or it stops reading.
    final int rounds = 400;
    try (MessageSocket raw = new MessageSocket(UnixSocket.connect(wire.path(), Wire.LIMIT));
        GuestMemory ring = new GuestMemory("silent-ring", GuestMemory.PAGE)) {
      negotiate(raw);
      Descriptor.copy(SIZE / 4).fromLocal(0).to(FAR).interrupt().put(ring.bytes(), 0);
      post(raw, Command.DMA_MAP, new DmaMap.Request(3, 0, Wire.RING, 4096), ring.file());
      post(raw, Command.DMA_MAP, new DmaMap.Request(3, 0, FAR, SIZE));
      ProcessFacts before = ProcessFacts.settled();
      for (int i = 0; i < rounds; i++) {
        postWrite(raw, Wire.CONFIG, Header.COMMAND, 6, 2);
        postWrite(raw, Wire.REGISTERS, 0x1008, Wire.RING, 8);
        postWrite(raw, Wire.REGISTERS, 0x1010, 2, 4);
        postWrite(raw, Wire.REGISTERS, 0x1000, 1, 4);
        postWrite(raw, Wire.REGISTERS, HbmRegisters.doorbell(0), 1, 4);
        Wire.await("the engine to wait for its message", SilentClientTest::waitsForMessage);
        post(raw, Command.DEVICE_RESET, new DeviceReset.Request());
        Wire.await("the reset", () -> !waitsForMessage());
      }
      keptLittle("%d requests that nobody receives".formatted(rounds), before);
    }
    wire.connect().close();
  }

  @Test
  void requestsThatAreNeverReceivedFromATwinKeepNoMemory() throws Exception {
    final int rounds = 1_600;
    try (Twins client = Twins.connect(wire.path());
        SocketDevice device = new SocketDevice(client.main())) {
      HbmChannel channel = Wire.channel(device, 0);
      client.main().dmaMap(Wire.READ_WRITE, 0, FAR, SIZE, Optional.empty());
      ProcessFacts before = ProcessFacts.settled();
      for (int i = 0; i < rounds; i++) {
        channel.submit(Descriptor.copy(SIZE / 4).fromLocal(0).to(FAR).interrupt());
        Wire.await("the engine to wait for its message", SilentClientTest::waitsForMessage);
        client.main().reset();
        channel.setUp();
      }
      keptLittle("%d requests that nobody receives from a twin".formatted(rounds), before);
    }
    wire.connect().close();
  }

  /** Whether the engine waits for a message that the function's thread has been told to send. */
  private static boolean waitsForMessage() {
    return Thread.getAllStackTraces().entrySet().stream()
        .filter(thread -> thread.getKey().getName().equals("hbm-channel-0"))
        .filter(thread -> thread.getKey().getState() == Thread.State.WAITING)
        .flatMap(thread -> Arrays.stream(thread.getValue()))
        .anyMatch(frame -> frame.getClassName().endsWith("MessageTransfer"));
  }

  private static void post(
      MessageSocket raw, Command command, Payload payload, FileDescriptor... descriptors)
      throws IOException {
    raw.send(
        Wire.message(1, command.code(), Wire.NO_REPLY, Wire.bytes(payload)),
        List.of(descriptors),
        Wire.LIMIT);
  }

  private static void postWrite(MessageSocket raw, int region, long offset, long value, int length)
      throws IOException {
    ByteBuf data = Unpooled.buffer().writeLongLE(value).slice(0, length);
    post(raw, Command.REGION_WRITE, new RegionWrite.Request(offset, region, data));
  }

  private static void keptLittle(String what, ProcessFacts before) throws IOException {
    ProcessFacts after = ProcessFacts.settled();
    System.out.printf("%s: before %s; after %s%n", what, before, after);
    assertThat(after.direct() - before.direct()).as("KiB of buffers").isLessThan(8 << 10);
    assertThat(after.resident() - before.resident()).as("KiB resident").isLessThan(48 << 10);
    assertThat(after.descriptors()).isEqualTo(before.descriptors());
  }

  @Test
  void requestsThatAreNeverAnsweredKeepNoMemory() throws Exception {
    final int rounds = 400;
    try (FuzzClient client = new FuzzClient(UnixSocket.connect(wire.path(), Wire.LIMIT));
        GuestMemory ring = new GuestMemory("silent-ring", GuestMemory.PAGE);
        GuestMemory memory = new GuestMemory("silent", SIZE);
        StallWatch watch = new StallWatch(other.client())) {
      client.negotiate();
      client.answer(FuzzScript.Answer.NEVER);
      Descriptor.copy(SIZE).from(FAR).to(NEAR).interrupt().put(ring.bytes(), 0);
      client.request(
          Command.DMA_MAP, new DmaMap.Request(3, 0, Wire.RING, GuestMemory.PAGE), ring.file());
      client.request(Command.DMA_MAP, new DmaMap.Request(3, 0, NEAR, SIZE), memory.file());
      client.request(Command.DMA_MAP, new DmaMap.Request(3, 0, FAR, SIZE));
      ProcessFacts before = ProcessFacts.settled();
      for (int i = 1; i <= rounds; i++) {
        client.write(Wire.CONFIG, Header.COMMAND, 6, 2);
        client.write(Wire.REGISTERS, 0x1008, Wire.RING, 8);
        client.write(Wire.REGISTERS, 0x1010, 2, 4);
        client.write(Wire.REGISTERS, 0x1000, 1, 4);
        client.write(Wire.REGISTERS, HbmRegisters.doorbell(0), 1, 4);
        client.awaitAsked(i);
        client.request(Command.DEVICE_RESET, new DeviceReset.Request());
      }
      long stall = watch.longestMicros();
      System.out.printf(
          "%d requests never answered: before %s; after %s; another endpoint's longest read %d us%n",
          rounds, before, ProcessFacts.settled(), stall);
      // Each was to be read into 2 MiB. Such memory is freed some time after a collection.
      long pid = ProcessHandle.current().pid();
      Wire.await(
          "memory given back",
          () -> {
            System.gc();
            return ProcessFacts.residentKib(pid) - before.resident() < 200 << 10;
          });
    }
    wire.connect().close();
  }
}
