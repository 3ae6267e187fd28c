package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Clients come and go; the device and its socket stay. */
@Tag("polled")
@Timeout(120)
final class LifecycleTest {
  private static final long PAGE = GuestMemory.PAGE;
  private static final long IOVA = 0x1_0000_0000L;
  private static final int MARK = 0x600d_600d;

  @TempDir private Path directory;
  private Wire wire;
  private long openBefore;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.unconnected(directory);
    openBefore = OpenFiles.count();
    try (VfioUserClient first = wire.connect()) {
      first.writeInt(Wire.REGISTERS, Wire.SCRATCH, MARK);
    }
    Wire.await("the first client's end", () -> OpenFiles.count() == openBefore);
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  /** Whether a client would be served now. */
  private static boolean served(Wire wire) throws IOException {
    try (VfioUserClient probe = wire.connect()) {
      return probe.readInt(Wire.REGISTERS, Wire.ID) == Wire.ID_VALUE;
    } catch (RemoteErrorException e) {
      return false;
    }
  }

  /** A client that brings a file, mapped and not, and event descriptors. */
  private VfioUserClient guest(String name) throws IOException {
    VfioUserClient guest = wire.connect();
    try (GuestMemory memory = new GuestMemory(name, 16 * PAGE);
        FileDescriptor event = EventDescriptor.create()) {
      guest.dmaMap(Wire.READ_WRITE, 0, IOVA, 16 * PAGE, Optional.of(memory.file()));
      Path plain = Files.write(directory.resolve("plain"), new byte[(int) PAGE]);
      try (FileDescriptor file = OpenFiles.readOnly(plain)) {
        guest.dmaMap(DmaMap.READABLE, 0, IOVA << 1, PAGE, Optional.of(file));
      }
      guest.setIrqEvents(PciIrq.MSIX, 0, event, event, event);
      guest.setIrqEvents(PciIrq.ERROR, 0, event);
    }
    assertThat(OpenFiles.mappings(name)).isPositive();
    return guest;
  }

  private void freed(String name) throws Exception {
    Wire.await(
        "everything freed", () -> OpenFiles.count() == openBefore && OpenFiles.mappings(name) == 0);
    try (VfioUserClient next = wire.connect()) {
      assertThat(next.readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(MARK);
      assertThat(wire.server().function().bus().table().size()).isZero();
    }
  }

  @Test
  void aClientThatLeavesIdleLeavesNothing() throws Exception {
    guest("leaves-idle").close();
    freed("leaves-idle");
  }

  @Test
  void aClientThatLeavesInMidMessageLeavesNothing() throws Exception {
    VfioUserClient guest = guest("leaves-amid");
    ByteBuf message = Wire.message(1, Command.DMA_MAP.code(), 0, Unpooled.buffer().writeZero(32));
    try (FileDescriptor event = EventDescriptor.create()) {
      guest.send(message.readRetainedSlice(Header.SIZE + 5), event);
    }
    message.release();
    guest.close();
    freed("leaves-amid");
  }

  @Test
  void aClientThatLeavesWithoutReadingItsRepliesLeavesNothing() throws Exception {
    guest("leaves-first").close();
    FileDescriptor socket = UnixSocket.connect(wire.path(), Wire.LIMIT);
    try (MessageSocket raw = new MessageSocket(socket)) {
      askForMuch(raw);
    }
    freed("leaves-first");
  }

  private static ByteBuf version() {
    ByteBuf proposal = Unpooled.buffer().writeShortLE(0).writeShortLE(1);
    return Wire.message(0, Command.VERSION.code(), 0, proposal);
  }

  /** More answers than a socket holds. */
  private static void askForMuch(MessageSocket raw) throws IOException {
    raw.send(version(), List.of(), Wire.LIMIT);
    for (int i = 0; i < 20; i++) {
      ByteBuf read = Wire.bytes(new RegionRead.Request(0, Wire.MEMORY, 1 << 20));
      raw.send(Wire.message(i, Command.REGION_READ.code(), 0, read), List.of(), Wire.LIMIT);
    }
  }

  @Test
  void aClientThatLeavesInMidTransferLeavesNothing() throws Exception {
    VfioUserClient guest = guest("leaves-during");
    guest.dmaMap(Wire.READ_WRITE, 0, IOVA << 2, 64 << 20, Optional.empty());
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch gone = new CountDownLatch(1);
    guest.serveDma(new Stuck(asked, gone));
    SocketDevice device = new SocketDevice(guest);
    HbmChannel channel = Wire.channel(device, 0);
    channel.submit(Descriptor.copy(Wire.BAR_SIZE).from(IOVA << 2).toLocal(0).interrupt());
    assertThat(asked.await(20, TimeUnit.SECONDS)).isTrue();
    gone.countDown();
    device.close();
    freed("leaves-during");
    try (VfioUserClient next = wire.connect()) {
      // The engine learns of it on a thread of its own.
      Wire.await(
          "the channel halted",
          () -> next.readInt(Wire.REGISTERS, 0x1004) == ChannelState.HALTED.code());
      assertThat(next.readInt(Wire.REGISTERS, 0x1018)).isEqualTo(ErrorCode.READ_FAULT.code());
      next.reset();
    }
    try (SocketDevice next = new SocketDevice(wire.connect())) {
      HbmChannel again = Wire.channel(next, 0);
      again.run(Descriptor.nop().interrupt());
      Wire.idle(again);
    }
  }

  /** Answers nothing until its client goes. */
  private record Stuck(CountDownLatch asked, CountDownLatch gone) implements DmaHandler {
    @Override
    public void read(long address, int count, ByteBuf into) throws RefusedException {
      asked.countDown();
      try {
        gone.await(20, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      throw new RefusedException(Errno.EFAULT);
    }

    @Override
    public void write(long address, ByteBuf data) throws RefusedException {
      throw new RefusedException(Errno.EFAULT);
    }
  }

  @Test
  void aSecondClientIsTurnedAwayWithEbusy() throws Exception {
    try (VfioUserClient first = wire.connect();
        VfioUserClient second = VfioUserClient.connect(wire.path())) {
      assertThatThrownBy(() -> second.negotiate(Wire.capabilities()))
          .isInstanceOfSatisfying(
              RemoteErrorException.class,
              refusal -> assertThat(refusal.errno()).isEqualTo(Errno.EBUSY));
      assertThat(second.awaitEnd(Wire.LIMIT)).isTrue();
      assertThat(first.readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(MARK);
    }
  }

  @Test
  void aClientMayComeBackAtOnce() throws Exception {
    for (int i = 0; i < 200; i++) {
      try (VfioUserClient client = wire.connect()) {
        assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(MARK);
      }
    }
  }

  @Test
  void aClientMayComeBackAtOnceAfterALotOfPostedWrites() throws Exception {
    byte[] data = new byte[64 << 10];
    for (int i = 0; i < 20; i++) {
      try (VfioUserClient client = wire.connect()) {
        for (int write = 0; write < 64; write++) {
          client.regionWritePosted(Wire.MEMORY, 0, data);
        }
      }
    }
    wire.connect().close();
  }

  // The socket.

  private EndpointServer serve(Path path) throws IOException {
    return Serving.start("other", new HbmEndpoint(Wire.config(DoorbellMode.TRAP)), path);
  }

  private static void works(VfioUserClient client) throws IOException {
    client.negotiate(Wire.capabilities());
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
  }

  @Test
  void theSocketGoesWithTheServer() throws Exception {
    Path path = directory.resolve("other.sock");
    long open = OpenFiles.count();
    EndpointServer server = serve(path);
    assertThat(path).exists();
    server.close();
    assertThat(path).doesNotExist();
    assertThat(OpenFiles.count()).isEqualTo(open);
  }

  @Test
  void aClosingServerHangsUp() throws Exception {
    Path path = directory.resolve("other.sock");
    EndpointServer server = serve(path);
    try (VfioUserClient client = VfioUserClient.connect(path)) {
      works(client);
      server.close();
      assertThat(client.awaitEnd(Wire.LIMIT)).isTrue();
    }
  }

  @Test
  void aClosingServerAnswersWhatHasBeenAsked() throws Exception {
    Path path = directory.resolve("other.sock");
    EndpointServer server = serve(path);
    // More answers than the socket takes before the first of them is read.
    final int asked = 500;
    try (MessageSocket raw = new MessageSocket(UnixSocket.connect(path, Wire.LIMIT))) {
      raw.send(version(), List.of(), Wire.LIMIT);
      raw.receive(Wire.LIMIT).release();
      ByteBuf read = Wire.bytes(new RegionRead.Request(0, Wire.MEMORY, (int) PAGE));
      ByteBuf requests = Unpooled.buffer();
      for (int i = 0; i < asked; i++) {
        requests.writeBytes(Wire.message(i, Command.REGION_READ.code(), 0, read.duplicate()));
      }
      raw.send(requests, List.of(), Wire.LIMIT);
      CompletableFuture<Void> closed = CompletableFuture.runAsync(server::close);
      for (int i = 0; i < asked; i++) {
        Frame reply = raw.receive(Wire.LIMIT);
        assertThat(reply.header().id()).isEqualTo(i);
        assertThat(reply.header().error()).isFalse();
        reply.release();
      }
      assertThatThrownBy(() -> raw.receive(Wire.LIMIT)).isInstanceOf(EOFException.class);
      closed.get(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void aClosingServerDoesNotWaitForAClientThatTakesNoAnswers() throws Exception {
    Path path = directory.resolve("other.sock");
    EndpointServer server = serve(path);
    try (MessageSocket raw = new MessageSocket(UnixSocket.connect(path, Wire.LIMIT))) {
      askForMuch(raw);
      server.close();
      assertThat(path).doesNotExist();
    }
  }

  @Test
  void aStaleSocketIsReplaced() throws Exception {
    Path path = directory.resolve("other.sock");
    UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 1).close();
    try (EndpointServer server = serve(path);
        VfioUserClient client = VfioUserClient.connect(path)) {
      assertThat(server.function().name()).isEqualTo("other");
      works(client);
    }
  }

  @Test
  void aLiveSocketIsRefused() throws Exception {
    long open = OpenFiles.count();
    assertThatThrownBy(() -> serve(wire.path()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is being served already");
    assertThat(served(wire)).isTrue();
    Wire.await("everything freed", () -> OpenFiles.count() == open);
  }

  @Test
  void aPathThatIsNoSocketIsRefusedAndKept() throws Exception {
    Path file = Files.writeString(directory.resolve("precious"), "data");
    assertThatThrownBy(() -> serve(file))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("not a stale socket");
    assertThat(file).hasContent("data");
    Path link = Files.createSymbolicLink(directory.resolve("link"), file);
    assertThatThrownBy(() -> serve(link)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> serve(directory)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> serve(directory.resolve("missing/x.sock")))
        .isInstanceOf(IOException.class);
  }

  private EndpointServer inherit(FileDescriptor socket) throws IOException {
    return EndpointServer.start(
        "inherited",
        new HbmEndpoint(Wire.config(DoorbellMode.TRAP)),
        new ListenAddress.Inherited(socket.number()));
  }

  @Test
  @SuppressWarnings("try") // What is inherited is the server's to close.
  void aListeningSocketCanBeInherited() throws Exception {
    Path path = directory.resolve("inherited.sock");
    FileDescriptor listening = UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 4);
    OpenFiles.makeBlocking(listening);
    try (EndpointServer server = inherit(listening)) {
      for (int i = 0; i < 3; i++) {
        try (VfioUserClient client = VfioUserClient.connect(path)) {
          works(client);
        }
      }
    }
    assertThat(path).as("not ours to remove").exists();
  }

  @Test
  @SuppressWarnings("try") // What is inherited is the server's to close.
  void aConnectedSocketCanBeInherited() throws Exception {
    UnixSocket.Pair pair = UnixSocket.pair();
    try (EndpointServer server = inherit(pair.second());
        VfioUserClient client = VfioUserClient.connect(pair.first())) {
      works(client);
    }
  }

  @Test
  void whatIsNoUnixSocketCannotBeInherited() throws Exception {
    FileDescriptor event = EventDescriptor.create();
    assertThatThrownBy(() -> inherit(event))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("no UNIX stream socket");
  }
}
