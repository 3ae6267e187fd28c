package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Twins;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The second socket, held here by hand: what comes and goes there, and how both end. */
@Tag("polled")
@Timeout(60)
final class TwinSocketTest {
  private static final long IOVA = 0x4000_0000L;
  private static final int LENGTH = 4096;

  /** As much as many messages. */
  private static final int WRITTEN = 1 << 20;

  @TempDir private Path directory;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private Wire wire;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.unconnected(directory);
  }

  @AfterEach
  void stop() throws Exception {
    for (AutoCloseable resource : owned) {
      resource.close();
    }
    wire.close();
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.addFirst(resource);
    return resource;
  }

  private Twins connect() throws Exception {
    return own(Twins.connect(wire.path()));
  }

  /** Has the device read client memory that only messages reach. */
  private HbmChannel startRead(Twins client) throws Exception {
    client.main().dmaMap(Wire.READ_WRITE, 0, IOVA, LENGTH, Optional.empty());
    HbmChannel channel = Wire.channel(own(new SocketDevice(client.main())), 0);
    channel.submit(Descriptor.copy(LENGTH).from(IOVA).toLocal(0).interrupt());
    return channel;
  }

  private static ByteBuf data(int value) {
    return Unpooled.buffer().writeBytes(filled(value));
  }

  private static byte[] filled(int value) {
    byte[] bytes = new byte[LENGTH];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }

  private static Frame readReply(Header request, int value) {
    return Frame.reply(request, new DmaRead.Reply(IOVA, data(value)), ByteBufAllocator.DEFAULT);
  }

  private static Header next(MessageSocket twin, Command command) throws IOException {
    Frame request = twin.receive(Wire.LIMIT);
    try {
      assertThat(request.header().isReply()).isFalse();
      assertThat(request.header().knownCommand()).contains(command);
      return request.header();
    } finally {
      request.release();
    }
  }

  private static void works(VfioUserClient client) throws IOException {
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
  }

  @Test
  void requestsOfTheServerComeHereAndRepliesGoBackHere() throws Exception {
    Twins client = connect();
    HbmChannel channel = startRead(client);
    client.twin().send(readReply(next(client.twin(), Command.DMA_READ), 0x5a), Wire.LIMIT);
    channel.awaitInterrupt();
    Wire.idle(channel);
    assertThat(client.main().regionRead(Wire.MEMORY, 0, LENGTH)).isEqualTo(filled(0x5a));

    channel.submit(Descriptor.copy(LENGTH).fromLocal(0).to(IOVA).interrupt());
    Frame write = client.twin().receive(Wire.LIMIT);
    DmaWrite.Request written = DmaWrite.Request.decode(write.payload());
    assertThat(written.address()).isEqualTo(IOVA);
    assertThat(ByteBufUtil.getBytes(written.data())).isEqualTo(filled(0x5a));
    client
        .twin()
        .send(
            Frame.reply(
                write.header(), new DmaWrite.Written(IOVA, LENGTH), ByteBufAllocator.DEFAULT),
            Wire.LIMIT);
    write.release();
    channel.awaitInterrupt();
    Wire.idle(channel);
  }

  @Test
  void aReplyOnTheWrongSocketIsIgnored() throws Exception {
    Twins client = connect();
    HbmChannel channel = startRead(client);
    Header request = next(client.twin(), Command.DMA_READ);
    Frame wrong = readReply(request, 0x11);
    ByteBuf bytes = Unpooled.buffer();
    wrong.header().encode(bytes);
    client.main().send(bytes.writeBytes(wrong.payload()));
    wrong.release();
    works(client.main());
    assertThat(channel.state()).isEqualTo(ChannelState.RUNNING);
    client.twin().send(readReply(request, 0x22), Wire.LIMIT);
    channel.awaitInterrupt();
    Wire.idle(channel);
    assertThat(client.main().regionRead(Wire.MEMORY, 0, LENGTH)).isEqualTo(filled(0x22));
  }

  @Test
  void aReplyToNothingIsIgnored() throws Exception {
    Twins client = connect();
    client.twin().send(readReply(Header.request(77, Command.DMA_READ, 16, false), 1), Wire.LIMIT);
    HbmChannel channel = startRead(client);
    client.twin().send(readReply(next(client.twin(), Command.DMA_READ), 2), Wire.LIMIT);
    channel.awaitInterrupt();
    Wire.idle(channel);
  }

  @Test
  void aRefusalHereIsAFault() throws Exception {
    Twins client = connect();
    HbmChannel channel = startRead(client);
    Header request = next(client.twin(), Command.DMA_READ);
    client.twin().send(Frame.failure(request, Errno.EFAULT), Wire.LIMIT);
    channel.awaitInterrupt();
    Wire.halted(channel, ErrorCode.READ_FAULT);
    works(client.main());
  }

  @Test
  void requestsOfTheClientAreEinvalHereAndNotDone() throws Exception {
    Twins client = connect();
    client.main().writeInt(Wire.REGISTERS, Wire.SCRATCH, 4711);
    refused(client, Command.REGION_READ, new RegionRead.Request(Wire.ID, Wire.REGISTERS, 4));
    refused(client, Command.DEVICE_RESET, new DeviceReset.Request());
    refused(client, Command.VERSION, new Version.Request(0, 1, Capabilities.DEFAULTS));
    client
        .twin()
        .send(
            Frame.request(
                1,
                Command.DEVICE_RESET,
                true,
                new DeviceReset.Request(),
                Descriptors.none(),
                ByteBufAllocator.DEFAULT),
            Wire.LIMIT);
    refused(client, Command.DEVICE_RESET, new DeviceReset.Request());
    assertThat(client.main().readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(4711);
    HbmChannel channel = startRead(client);
    client.twin().send(readReply(next(client.twin(), Command.DMA_READ), 3), Wire.LIMIT);
    channel.awaitInterrupt();
  }

  private static void refused(Twins client, Command command, Payload payload) throws IOException {
    client
        .twin()
        .send(
            Frame.request(9, command, false, payload, Descriptors.none(), ByteBufAllocator.DEFAULT),
            Wire.LIMIT);
    Frame reply = client.twin().receive(Wire.LIMIT);
    assertThat(reply.header().isReply()).isTrue();
    assertThat(reply.header().command()).isEqualTo(command.code());
    assertThat(Errno.of(reply.header().errno())).contains(Errno.EINVAL);
    assertThat(reply.header().size()).isEqualTo(Header.SIZE);
    reply.release();
  }

  @Test
  void descriptorsThatComeHereAreClosed() throws Exception {
    Twins client = connect();
    works(client.main());
    long open = OpenFiles.count();
    for (int i = 0; i < 100; i++) {
      try (UnixSocket.Pair pair = UnixSocket.pair()) {
        client
            .twin()
            .send(
                Frame.request(
                    9,
                    Command.DEVICE_RESET,
                    false,
                    new DeviceReset.Request(),
                    Descriptors.of(pair.first().duplicate(), pair.second().duplicate()),
                    ByteBufAllocator.DEFAULT),
                Wire.LIMIT);
      }
      client.twin().receive(Wire.LIMIT).release();
    }
    Wire.await("all to be closed", () -> OpenFiles.count() == open);
  }

  // A client that does not receive.

  /** What ends the right to memory for all that the device is about to send. */
  private enum End {
    DEVICE_RESET,
    FUNCTION_LEVEL_RESET,
    BUS_MASTER_OFF,
    UNMAP
  }

  @ParameterizedTest
  @EnumSource
  void whatHadNotBegunWhenItsRightEndedIsNeverSent(End end) throws Exception {
    final int rounds = 16;
    Twins client = connect();
    HbmChannel channel = Wire.channel(own(new SocketDevice(client.main())), 0);
    for (int round = 0; round < rounds; round++) {
      if (round > 0) {
        client.main().reset();
        channel.setUp();
      }
      writeRound(client, channel, round);
      end(end, client.main(), channel);
    }
    // What came by now was in the socket before the reply: the first rounds filled it.
    List<Integer> old = new ArrayList<>();
    if (end == End.BUS_MASTER_OFF || end == End.UNMAP) {
      // The device hears of it when the socket would take its message.
      while (channel.state() != ChannelState.HALTED) {
        receiveRound(client.twin(), Duration.ofMillis(1)).ifPresent(old::add);
      }
    }
    client.main().reset();
    channel.setUp();
    writeRound(client, channel, rounds);
    int round = receiveRound(client.twin(), Wire.LIMIT).orElseThrow();
    while (round < rounds) {
      old.add(round);
      round = receiveRound(client.twin(), Wire.LIMIT).orElseThrow();
    }
    System.out.printf(
        "%s: of %d rounds, %s came to a client that did not receive%n", end, rounds, old);
    assertThat(old).isNotEmpty().isSorted().hasSizeLessThan(rounds - 1);
    assertThat(old).as("the first ones, and nothing after them").last().isEqualTo(old.size() - 1);
  }

  /** Has the device write memory that only messages reach, and waits until it is about to. */
  private static void writeRound(Twins client, HbmChannel channel, int round) throws Exception {
    client.main().dmaUnmap(IOVA, WRITTEN);
    client.main().dmaMap(Wire.READ_WRITE, 0, IOVA, WRITTEN, Optional.empty());
    ByteBuf number = Unpooled.buffer().writeIntLE(round);
    client.main().regionWrite(Wire.MEMORY, 0, ByteBufUtil.getBytes(number));
    channel.submit(Descriptor.copy(WRITTEN).fromLocal(0).to(IOVA));
    Wire.await("the engine to wait for its message", TwinSocketTest::waitsForMessage);
    // What the function's thread was given to do before this is done.
    works(client.main());
  }

  private static boolean waitsForMessage() {
    return Thread.getAllStackTraces().entrySet().stream()
        .filter(thread -> thread.getKey().getName().equals("hbm-channel-0"))
        .filter(thread -> thread.getKey().getState() == Thread.State.WAITING)
        .flatMap(thread -> Arrays.stream(thread.getValue()))
        .anyMatch(frame -> frame.getClassName().endsWith("MessageTransfer"));
  }

  private static void end(End end, VfioUserClient main, HbmChannel channel) throws Exception {
    switch (end) {
      case DEVICE_RESET -> main.reset();
      case FUNCTION_LEVEL_RESET -> channel.driver().device().reset();
      case BUS_MASTER_OFF -> channel.driver().config().busMaster(false);
      case UNMAP -> main.dmaUnmap(IOVA, WRITTEN);
    }
  }

  private static Optional<Integer> receiveRound(MessageSocket twin, Duration timeout)
      throws Exception {
    Frame write;
    try {
      write = twin.receive(timeout);
    } catch (SocketTimeoutException e) {
      return Optional.empty();
    }
    try {
      ByteBuf data = DmaWrite.Request.decode(write.payload()).data();
      return Optional.of(data.getIntLE(data.readerIndex()));
    } finally {
      write.release();
    }
  }

  // The end.

  @Test
  void theEndOfTheTwinIsTheEndOfTheConnection() throws Exception {
    Twins client = connect();
    HbmChannel channel = startRead(client);
    next(client.twin(), Command.DMA_READ);
    client.twin().close();
    assertThat(client.main().awaitEnd(Wire.LIMIT)).isTrue();
    nextClientFindsTheFault(channel);
  }

  @Test
  void theEndOfTheMainSocketIsTheEndOfTheTwin() throws Exception {
    Twins client = connect();
    HbmChannel channel = startRead(client);
    next(client.twin(), Command.DMA_READ);
    client.main().close();
    assertThatThrownBy(() -> client.twin().receive(Wire.LIMIT)).isInstanceOf(EOFException.class);
    nextClientFindsTheFault(channel);
  }

  @Test
  void lostFramingOfTheTwinIsTheEndOfBoth() throws Exception {
    Twins client = connect();
    client.twin().send(Unpooled.buffer().writeZero(64), List.of(), Wire.LIMIT);
    assertThatThrownBy(() -> client.twin().receive(Wire.LIMIT)).isInstanceOf(EOFException.class);
    assertThat(client.main().awaitEnd(Wire.LIMIT)).isTrue();
    works(connect().main());
  }

  private void nextClientFindsTheFault(HbmChannel channel) throws Exception {
    assertThat(channel).isNotNull();
    Twins next = connect();
    Wire.await(
        "the transfer to fail",
        () -> next.main().readInt(Wire.REGISTERS, 0x1004) == ChannelState.HALTED.code());
    assertThat(next.main().readInt(Wire.REGISTERS, 0x1018)).isEqualTo(ErrorCode.READ_FAULT.code());
    // And its own transfers go its own way.
    HbmChannel other = Wire.channel(own(new SocketDevice(next.main())), 1);
    next.main().dmaMap(Wire.READ_WRITE, 0, IOVA, LENGTH, Optional.empty());
    other.submit(Descriptor.copy(LENGTH).from(IOVA).toLocal(0).interrupt());
    next.twin().send(readReply(next(next.twin(), Command.DMA_READ), 9), Wire.LIMIT);
    other.awaitInterrupt();
  }

  @Test
  void manyConnectionsLeaveNothingOpen() throws Exception {
    // Nobody has connected: afterwards it takes a while until the ends of a client are closed.
    long open = OpenFiles.count();
    for (int i = 0; i < 100; i++) {
      VfioUserClient client = VfioUserClient.connect(wire.path());
      client.setTimeout(Wire.LIMIT);
      switch (i % 4) {
        case 0 -> {
          client.negotiate(Twins.capabilities(1, true));
          works(client);
        }
        case 1 -> client.negotiate(Twins.capabilities(1, true));
        case 2 -> assertThatThrownBy(() -> client.negotiate(Twins.capabilities(-1, true)));
        default ->
            // Gone before the reply.
            client
                .submit(Command.VERSION, new Version.Request(0, 1, Twins.capabilities(1, true)))
                .thenAccept(Frame::release);
      }
      client.close();
    }
    Wire.await("the last to be gone", this::isFree);
    Wire.await("all to be closed", () -> OpenFiles.count() == open);
  }

  private boolean isFree() throws IOException {
    try (VfioUserClient client = wire.connect()) {
      works(client);
      return true;
    } catch (RemoteErrorException e) {
      return false;
    }
  }

  // None.

  @Test
  void withoutTheWishThereIsNone() throws Exception {
    hasNone(Twins.capabilities(1, false));
    hasNone(Twins.capabilities(0, true));
    hasNone(Wire.capabilities());
  }

  private void hasNone(Capabilities proposed) throws Exception {
    try (VfioUserClient client = VfioUserClient.connect(wire.path())) {
      client.setTimeout(Wire.LIMIT);
      Frame reply = client.submit(Command.VERSION, new Version.Request(0, 1, proposed)).get();
      assertThat(Version.Reply.decode(reply.payload()).capabilities().twinSocket()).isEmpty();
      assertThat(reply.descriptors().count()).isZero();
      reply.release();
      works(client);
    }
  }
}
