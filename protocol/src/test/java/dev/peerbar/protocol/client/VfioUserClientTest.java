package dev.peerbar.protocol.client;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.OpenDescriptors;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.RegionCapability.SparseMmap;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import dev.peerbar.protocol.Version;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The client against a server that the test plays by hand. */
@Timeout(300)
class VfioUserClientTest {
  private static final String MEMORY = "vfio-user-client";
  private static final Duration LONG = Duration.ofSeconds(20);

  private final ExecutorService calls = Executors.newCachedThreadPool();
  private VfioUserClient client;
  private MessageSocket server;

  @BeforeEach
  void connect() throws Exception {
    UnixSocket.Pair pair = UnixSocket.pair();
    client = VfioUserClient.connect(pair.first());
    server = new MessageSocket(pair.second());
  }

  @AfterEach
  void nothingLeaks() throws Exception {
    client.close();
    server.close();
    calls.shutdownNow();
    assertThat(calls.awaitTermination(20, TimeUnit.SECONDS)).isTrue();
    assertThat(OpenDescriptors.memoryFiles(MEMORY)).isZero();
  }

  /** A call of the client that goes on while the test plays the server. */
  private <T> Future<T> start(Callable<T> call) {
    return calls.submit(call);
  }

  private static <T> T end(Future<T> call) throws Exception {
    return call.get(20, TimeUnit.SECONDS);
  }

  private Frame expect(Command command) throws IOException {
    Frame request = server.receive(LONG);
    assertThat(request.header().knownCommand()).contains(command);
    return request;
  }

  private void reply(Frame request, Payload payload) throws IOException {
    server.send(Frame.reply(request.header(), payload, ByteBufAllocator.DEFAULT), LONG);
    request.release();
  }

  @Test
  void reads() throws Exception {
    Future<Long> value = start(() -> client.readLong(2, 0x40));
    Frame request = expect(Command.REGION_READ);
    assertThat(RegionRead.Request.decode(request.payload()))
        .isEqualTo(new RegionRead.Request(0x40, 2, 8));
    reply(request, new RegionRead.Reply(0x40, 2, Unpooled.buffer().writeLongLE(-2)));
    assertThat(end(value)).isEqualTo(-2);
  }

  @Test
  void writesOfEachKind() throws Exception {
    client.regionWritePosted(0, 8, new byte[] {1, 2, 3, 4});
    Frame posted = expect(Command.REGION_WRITE);
    assertThat(posted.header().noReply()).isTrue();
    posted.release();

    Future<Void> write = start(() -> done(() -> client.writeInt(0, 8, 0x01020304)));
    Frame request = expect(Command.REGION_WRITE);
    assertThat(request.header().noReply()).isFalse();
    RegionWrite.Request decoded = RegionWrite.Request.decode(request.payload());
    assertThat(decoded.data().getIntLE(0)).isEqualTo(0x01020304);
    reply(request, decoded.reply());
    end(write);

    List<RegionWriteMulti.Write> writes = List.of(new RegionWriteMulti.Write(0, 0, 4, 7));
    Future<RegionWriteMulti.Reply> multi = start(() -> client.regionWriteMulti(writes));
    Frame several = expect(Command.REGION_WRITE_MULTI);
    assertThat(RegionWriteMulti.Request.decode(several.payload()).writes()).isEqualTo(writes);
    reply(several, new RegionWriteMulti.Reply(1));
    assertThat(end(multi).count()).isEqualTo(1);
  }

  @Test
  void errorsOfTheServer() throws Exception {
    Future<Void> call = start(() -> done(() -> client.dmaMap(3, 0, 0, 4096, Optional.empty())));
    Frame request = expect(Command.DMA_MAP);
    server.send(Frame.failure(request.header(), Errno.EEXIST), LONG);
    request.release();
    assertThatThrownBy(() -> end(call))
        .cause()
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EEXIST));
  }

  @Test
  void memoryIsLentToTheServer() throws Exception {
    FileDescriptor memory = SharedMemory.create(MEMORY, 8192);
    Future<Void> map =
        start(() ->
            done(() -> client.dmaMap(DmaMap.READABLE, 4096, 0x10000, 4096, Optional.of(memory))));
    Frame request = expect(Command.DMA_MAP);
    assertThat(DmaMap.Request.decode(request.payload()))
        .isEqualTo(new DmaMap.Request(DmaMap.READABLE, 4096, 0x10000, 4096));
    assertThat(FileStatus.of(request.descriptors().get(0).orElseThrow()))
        .isEqualTo(FileStatus.of(memory));
    server.send(Frame.reply(request.header()), LONG);
    request.release();
    end(map);
    assertThat(memory.isOpen()).isTrue();
    memory.close();

    Future<DmaUnmap.Reply> unmap = start(() -> client.dmaUnmap(0x10000, 4096));
    Frame second = expect(Command.DMA_UNMAP);
    reply(second, DmaUnmap.Request.decode(second.payload()).reply());
    assertThat(end(unmap).address()).isEqualTo(0x10000);
  }

  @Test
  void regionInfoAsksAgainForWhatHasNoRoom() throws Exception {
    DeviceGetRegionInfo.Reply full =
        DeviceGetRegionInfo.Reply.full(
            DeviceGetRegionInfo.MMAP,
            0,
            8192,
            0,
            List.of(new SparseMmap(List.of(new SparseMmap.Area(4096, 4096)))));
    Future<VfioUserClient.WithDescriptors<DeviceGetRegionInfo.Reply>> call =
        start(() -> client.regionInfo(0));
    Frame first = expect(Command.DEVICE_GET_REGION_INFO);
    assertThat(DeviceGetRegionInfo.Request.decode(first.payload()).argsz()).isEqualTo(32);
    reply(first, full.cutShort());
    Frame second = expect(Command.DEVICE_GET_REGION_INFO);
    assertThat(DeviceGetRegionInfo.Request.decode(second.payload()).argsz())
        .isEqualTo(full.argsz());
    ByteBuf payload = Frame.encode(full, ByteBufAllocator.DEFAULT);
    Descriptors descriptors = Descriptors.of(SharedMemory.create(MEMORY, 8192));
    server.send(Frame.reply(second.header(), payload, descriptors), LONG);
    second.release();
    try (VfioUserClient.WithDescriptors<DeviceGetRegionInfo.Reply> region = end(call)) {
      assertThat(region.value()).isEqualTo(full);
      assertThat(FileStatus.of(region.descriptors().getFirst()).size()).isEqualTo(8192);
    }
  }

  @Test
  void interruptsReachTheEventThatWasLent() throws Exception {
    try (FileDescriptor event = EventDescriptor.create()) {
      Future<Void> call = start(() -> done(() -> client.setIrqEvents(PciIrq.MSIX, 3, event)));
      Frame request = expect(Command.DEVICE_SET_IRQS);
      DeviceSetIrqs.Request decoded = DeviceSetIrqs.Request.decode(request.payload());
      assertThat(decoded.start()).isEqualTo(3);
      assertThat(decoded.count()).isEqualTo(1);
      EventDescriptor.signal(request.descriptors().get(0).orElseThrow());
      server.send(Frame.reply(request.header()), LONG);
      request.release();
      end(call);
      assertThat(EventDescriptor.await(event, LONG)).isEqualTo(1);
    }
  }

  @Test
  void repliesInAnyOrder() throws Exception {
    Future<byte[]> first = start(() -> client.regionRead(0, 0, 1));
    Frame firstRequest = expect(Command.REGION_READ);
    Future<byte[]> second = start(() -> client.regionRead(0, 1, 1));
    Frame secondRequest = expect(Command.REGION_READ);
    reply(secondRequest, new RegionRead.Reply(1, 0, Unpooled.wrappedBuffer(new byte[] {2})));
    assertThat(end(second)).containsExactly(2);
    reply(firstRequest, new RegionRead.Reply(0, 0, Unpooled.wrappedBuffer(new byte[] {1})));
    assertThat(end(first)).containsExactly(1);
  }

  @Test
  void servesDmaWhileACallWaits() throws Exception {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment memory = arena.allocate(8192);
      client.memory().put(0x4000, memory);
      Future<byte[]> call = start(() -> client.regionRead(0, 0, 1));
      Frame request = expect(Command.REGION_READ);

      // The server's ids are its own: the same as the one that waits is no reply to it.
      int id = request.header().id();
      ByteBuf data = Unpooled.buffer().writeLongLE(0x1122334455667788L);
      dma(id, Command.DMA_WRITE, new DmaWrite.Request(0x4ff8, data));
      Frame written = server.receive(LONG);
      assertThat(written.header().isReply()).isTrue();
      assertThat(DmaWrite.Reply.decode(written.payload()))
          .isEqualTo(new DmaWrite.Written(0x4ff8, 8));
      written.release();
      assertThat(memory.get(JAVA_LONG, 0xff8)).isEqualTo(0x1122334455667788L);

      dma(id, Command.DMA_READ, new DmaRead.Request(0x4ff8, 8));
      Frame read = server.receive(LONG);
      assertThat(DmaRead.Reply.decode(read.payload())).isEqualTo(new DmaRead.Reply(0x4ff8, data));
      read.release();

      dma(id, Command.DMA_READ, new DmaRead.Request(0x5ffc, 8));
      Frame refused = server.receive(LONG);
      assertThat(refused.header().error()).isTrue();
      assertThat(refused.header().errno()).isEqualTo(Errno.EFAULT.code());
      refused.release();

      reply(request, new RegionRead.Reply(0, 0, Unpooled.wrappedBuffer(new byte[] {9})));
      assertThat(end(call)).containsExactly(9);
    }
  }

  private void dma(int id, Command command, Payload payload) throws IOException {
    server.send(
        Frame.request(id, command, false, payload, Descriptors.none(), ByteBufAllocator.DEFAULT),
        LONG);
  }

  @Test
  void theTwinSocketTakesTheServersRequests() throws Exception {
    Capabilities proposal = withTwin(new Capabilities.TwinSocket(true, OptionalInt.empty()));
    Future<Version.Reply> call = start(() -> client.negotiate(proposal));
    Frame request = expect(Command.VERSION);
    Version.Request decoded = Version.Request.decode(request.payload());
    assertThat(decoded).isEqualTo(new Version.Request(Version.MAJOR, Version.MINOR, proposal));
    UnixSocket.Pair twin = UnixSocket.pair();
    Version.Reply agreed =
        new Version.Reply(0, 1, withTwin(new Capabilities.TwinSocket(true, OptionalInt.of(0))));
    ByteBuf payload = Frame.encode(agreed, ByteBufAllocator.DEFAULT);
    server.send(Frame.reply(request.header(), payload, Descriptors.of(twin.first())), LONG);
    request.release();
    assertThat(end(call)).isEqualTo(agreed);

    try (MessageSocket second = new MessageSocket(twin.second())) {
      client.memory().put(0, Arena.ofAuto().allocate(16));
      second.send(
          Frame.request(
              5,
              Command.DMA_READ,
              false,
              new DmaRead.Request(0, 16),
              Descriptors.none(),
              ByteBufAllocator.DEFAULT),
          LONG);
      Frame read = second.receive(LONG);
      assertThat(read.header().id()).isEqualTo(5);
      assertThat(read.payload().readableBytes()).isEqualTo(DmaRead.DATA + 16);
      read.release();
      client.close();
      assertThatThrownBy(() -> second.receive(LONG)).isInstanceOf(EOFException.class);
    }
  }

  @Test
  void aTwinSocketThatDoesNotComeIsRefused() throws Exception {
    Capabilities twin = withTwin(new Capabilities.TwinSocket(true, OptionalInt.of(0)));
    Future<Version.Reply> call = start(() -> client.negotiate(twin));
    reply(expect(Command.VERSION), new Version.Reply(0, 1, twin));
    assertThatThrownBy(() -> end(call)).cause().isInstanceOf(ProtocolException.class);
    assertThatThrownBy(() -> server.receive(LONG)).isInstanceOf(EOFException.class);
  }

  private static Capabilities withTwin(Capabilities.TwinSocket twin) {
    return new Capabilities(8, 1 << 20, 65535, 4096, Optional.of(twin), true, Optional.empty());
  }

  @Test
  void anyBytesCanBeSent() throws Exception {
    FileDescriptor memory = SharedMemory.create(MEMORY, 4096);
    Header odd = new Header(0xBEEF, 77, Header.SIZE, Header.Type.COMMAND, false, false, 0);
    ByteBuf bytes = Unpooled.buffer();
    odd.encode(bytes);
    client.send(bytes, memory);
    memory.close();
    Frame request = server.receive(LONG);
    assertThat(request.header()).isEqualTo(odd);
    assertThat(request.descriptors().count()).isEqualTo(1);
    server.send(Frame.failure(request.header(), Errno.ENOSYS), LONG);
    request.release();
    Frame answer = client.receive();
    assertThat(answer.header()).isEqualTo(odd.failure(Errno.ENOSYS));
    answer.release();
  }

  @Test
  void aCallWaitsOnlyAsLongAsItMayAndALateReplyIsNobodys() throws Exception {
    client.setTimeout(Duration.ofMillis(10));
    assertThatThrownBy(() -> client.deviceInfo()).isInstanceOf(SocketTimeoutException.class);
    client.setTimeout(LONG);
    Frame late = expect(Command.DEVICE_GET_INFO);
    reply(late, new DeviceGetInfo.Reply(1, 1, 1));
    Future<DeviceGetInfo.Reply> call = start(() -> client.deviceInfo());
    reply(expect(Command.DEVICE_GET_INFO), new DeviceGetInfo.Reply(2, 9, 5));
    assertThat(end(call)).isEqualTo(new DeviceGetInfo.Reply(2, 9, 5));
  }

  @Test
  void theEndOfTheServerEndsCalls() throws Exception {
    Future<Void> call = start(() -> done(client::reset));
    expect(Command.DEVICE_RESET).release();
    server.close();
    assertThatThrownBy(() -> end(call)).cause().isInstanceOf(EOFException.class);
    assertThat(client.awaitEnd(LONG)).isTrue();
    assertThatThrownBy(() -> client.receive()).isInstanceOf(EOFException.class);
  }

  private interface Action {
    void run() throws IOException;
  }

  private static Void done(Action action) throws IOException {
    action.run();
    return null;
  }

  @Test
  void aServerThatIsNotTrustedIsTakenAtItsWord() throws Exception {
    ByteBuf tooLong = Unpooled.buffer();
    new Header(1, 4, 4097, Header.Type.REPLY, false, false, 0).encode(tooLong);
    ByteBuf uncalledFor = Unpooled.buffer();
    new Header(0x7777, 4, Header.SIZE, Header.Type.REPLY, false, false, 0).encode(uncalledFor);
    for (ByteBuf nonsense : List.of(tooLong, uncalledFor)) {
      UnixSocket.Pair pair = UnixSocket.pair();
      try (VfioUserClient strict = VfioUserClient.connectStrictly(pair.first(), 4096);
          MessageSocket other = new MessageSocket(pair.second())) {
        Future<DeviceGetInfo.Reply> call = start(strict::deviceInfo);
        other.receive(LONG).release();
        other.send(nonsense, List.of(), LONG);
        assertThatThrownBy(() -> end(call)).cause().isInstanceOf(ProtocolException.class);
      }
    }
  }
}
