package dev.peerbar.protocol.socket;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.FileStatus;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.OpenDescriptors;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.client.MessageSocket;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledDirectByteBuf;
import io.netty.buffer.UnpooledHeapByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(300)
@ParameterizedClass
@EnumSource
class DescriptorSocketChannelTest {
  /** Who waits for what comes. */
  enum Waiting {
    /** The event loop, for all sockets at once. */
    LOOP,
    /** A thread of the channel's own. */
    THREAD,
    /** The same, which looks for a while before it sleeps. */
    LOOKING_THREAD
  }

  @Parameter Waiting waiting;

  private static final AtomicInteger TESTS = new AtomicInteger();
  private static final Duration LONG = Duration.ofSeconds(20);

  /** Of its own for each test, so that a leak fails the test that has it. */
  private final String memory = "socket-channel-" + TESTS.incrementAndGet();

  private final EventLoopGroup group =
      SocketEventLoop.group(new DefaultThreadFactory("socket-channel"));
  private final BlockingQueue<Object> events = new LinkedBlockingQueue<>();
  private DescriptorSocketChannel channel;
  private MessageSocket peer;

  @BeforeEach
  void connect() throws Exception {
    UnixSocket.Pair pair = UnixSocket.pair();
    peer = new MessageSocket(pair.first());
    channel = DescriptorSocketChannel.adopt(pair.second());
    channel.pipeline().addLast(new FrameDecoder(), new Recorder(events));
  }

  @AfterEach
  void nothingLeaks() throws Exception {
    peer.close();
    if (channel.isRegistered()) {
      channel.close().sync();
    } else if (channel.isOpen()) {
      channel.unsafe().closeForcibly();
    }
    for (Object event = events.poll(); event != null; event = events.poll()) {
      if (event instanceof Frame frame) {
        frame.release();
      }
    }
    group.shutdownGracefully(0, 10, TimeUnit.SECONDS).sync();
    assertThat(OpenDescriptors.memoryFiles(memory)).isZero();
  }

  /** Says what comes, in order. */
  private static final class Recorder extends ChannelInboundHandlerAdapter {
    private final BlockingQueue<Object> events;

    Recorder(BlockingQueue<Object> events) {
      this.events = events;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
      events.add(message);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
      events.add("inactive");
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
      events.add(event);
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
      events.add(ctx.channel().isWritable() ? "writable" : "unwritable");
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      events.add(cause);
    }
  }

  private void register() throws InterruptedException {
    group.register(channel).sync();
    if (waiting != Waiting.LOOP) {
      Duration look = waiting == Waiting.THREAD ? Duration.ZERO : Duration.ofMillis(1);
      group
          .submit(() -> {
            channel.receiveOnThread(new DefaultThreadFactory("receiver", true), look);
            return null;
          })
          .sync();
    }
  }

  private Object nextEvent() throws InterruptedException {
    Object event = events.poll(20, TimeUnit.SECONDS);
    assertThat(event).isNotNull();
    return event;
  }

  @Test
  void aWholeMessageWithDescriptorsEachWay() throws Exception {
    register();
    peer.send(frame(1, 1000, memory(1), memory(2)), LONG);
    Frame received = (Frame) nextEvent();
    assertThat(received.header().id()).isEqualTo(1);
    assertThat(received.payload().readableBytes()).isEqualTo(RegionWrite.DATA + 1000);
    assertThat(pages(received)).containsExactly(1L, 2L);
    for (int i = 0; i < 2; i++) {
      assertThat(OpenDescriptors.closedOnExec(received.descriptors().get(i).orElseThrow()))
          .isTrue();
    }

    channel.writeAndFlush(received).sync();
    assertThat(received.refCnt()).isZero();

    Frame back = peer.receive(LONG);
    assertThat(back.header().id()).isEqualTo(1);
    assertThat(pages(back)).containsExactly(1L, 2L);
    back.release();
  }

  @Test
  void asManyDescriptorsAsLinuxAllows() throws Exception {
    register();
    FileDescriptor[] many = new FileDescriptor[SocketMessages.MAX_DESCRIPTORS];
    for (int i = 0; i < many.length; i++) {
      many[i] = memory(i + 1);
    }
    peer.send(frame(1, 8, many), LONG);
    Frame received = (Frame) nextEvent();
    assertThat(received.descriptors().count()).isEqualTo(many.length);
    assertThat(received.descriptors().truncated()).isFalse();
    assertThat(pages(received)).first().isEqualTo(1L);
    assertThat(pages(received)).last().isEqualTo((long) many.length);
    received.release();
    assertThat(OpenDescriptors.memoryFiles(memory)).isZero();
  }

  @Test
  void tooManyDescriptorsAreNotSentAndClosed() throws Exception {
    register();
    FileDescriptor[] many = new FileDescriptor[SocketMessages.MAX_DESCRIPTORS + 1];
    for (int i = 0; i < many.length; i++) {
      many[i] = memory(1);
    }
    assertThatThrownBy(() -> channel.writeAndFlush(frame(1, 8, many)).sync())
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(OpenDescriptors.memoryFiles(memory)).isZero();
    channel.writeAndFlush(frame(2, 8)).sync();
    expectIds(2);
  }

  @Test
  void messagesLargerThanTheSocketAndASlowReader() throws Exception {
    register();
    int count = 12;
    List<Frame> frames = new ArrayList<>();
    for (int id = 0; id < count; id++) {
      frames.add(frame(id, 1 << 20, memory(id + 1)));
    }
    // On the loop: a write from elsewhere counts for a moment before it is one.
    group
        .submit(() -> {
          frames.forEach(channel::write);
          channel.flush();
        })
        .sync();
    assertThat(nextEvent()).isEqualTo("unwritable");
    assertThat(channel.bytesBeforeWritable()).isPositive();

    for (int id = 0; id < count; id++) {
      Frame frame = peer.receive(LONG);
      assertThat(frame.header().id()).isEqualTo(id);
      assertThat(pages(frame)).containsExactly((long) id + 1);
      assertThat(frame.payload().getByte(frame.payload().writerIndex() - 1))
          .isEqualTo((byte) ((1 << 20) - 1));
      frame.release();
    }
    assertThat(nextEvent()).isEqualTo("writable");
  }

  /** A write whose data, all the same byte, are lent. */
  private static LentMessage lent(int id, MemorySegment data, BooleanSupplier mayBegin) {
    ByteBuf head = Unpooled.directBuffer();
    int size = RegionWrite.DATA + (int) data.byteSize();
    Header.request(id, Command.REGION_WRITE, size, false).encode(head);
    RegionWrite.Reply.encodeFixed(head, 0, 0, (int) data.byteSize());
    return new LentMessage(head, data, mayBegin);
  }

  private static MemorySegment data(Arena arena, int size, int value) {
    return arena.allocate(size).fill((byte) value);
  }

  private void expectLent(int id, int size) throws Exception {
    Frame frame = peer.receive(LONG);
    assertThat(frame.header().id()).isEqualTo(id);
    ByteBuf data = RegionWrite.Request.decode(frame.payload()).data();
    assertThat(data.readableBytes()).isEqualTo(size);
    assertThat(data.forEachByte(value -> value == (byte) id)).isEqualTo(-1);
    frame.release();
  }

  @Test
  void whatIsLentIsSentFromWhereItLies() throws Exception {
    register();
    try (Arena arena = Arena.ofShared()) {
      int[] sizes = {0, 1, 4096, 1 << 20, 300_000};
      for (int id = 0; id < sizes.length; id++) {
        LentMessage message = lent(id, data(arena, sizes[id], id), () -> true);
        ChannelFuture sent = channel.writeAndFlush(message);
        expectLent(id, sizes[id]);
        sent.sync();
        assertThat(message.refCnt()).isZero();
      }
    }
  }

  @Test
  void whatIsTakenBackAmidItsSendingIsSentFromACopyAndTheRestIsNot() throws Exception {
    register();
    try (Arena arena = Arena.ofShared()) {
      List<LentMessage> all = new ArrayList<>();
      for (int id = 0; id < 4; id++) {
        all.add(lent(id, data(arena, 1 << 20, id), () -> true));
      }
      group
          .submit(() -> {
            all.forEach(channel::write);
            channel.flush();
            assertThat(all.get(0).hasBegun()).isTrue();
            assertThat(all.get(0).isSent()).isFalse();
            all.subList(0, 3).forEach(message -> message.takeBack(channel.alloc()));
            return null;
          })
          .sync();
      // What is read of these now is not what is expected.
      try (Arena other = Arena.ofConfined()) {
        other.allocate(4 << 20).fill((byte) 0x66);
        expectLent(0, 1 << 20);
      }
      expectLent(3, 1 << 20);
      onLoop();
      assertThat(all).allSatisfy(message -> assertThat(message.refCnt()).isZero());
    }
  }

  @Test
  void whatMayNotBeginIsDroppedAndAskedForOnlyThen() throws Exception {
    register();
    try (Arena arena = Arena.ofShared()) {
      AtomicInteger asked = new AtomicInteger();
      ChannelFuture first = channel.writeAndFlush(lent(1, data(arena, 1 << 20, 1), () -> true));
      ChannelFuture second =
          channel.writeAndFlush(
              lent(
                  2,
                  data(arena, 64, 2),
                  () -> {
                    asked.incrementAndGet();
                    return false;
                  }));
      onLoop();
      assertThat(asked).hasValue(0);
      expectLent(1, 1 << 20);
      first.sync();
      second.sync();
      assertThat(asked).hasValue(1);
      channel.writeAndFlush(frame(3, 8)).sync();
      expectIds(3);
    }
  }

  @Test
  void onASocketThatBeginsWholeNothingIsEverHalfSent() throws Exception {
    final int rounds = 400;
    int most = channel.beginWhole() - Header.SIZE - RegionWrite.DATA;
    assertThat(most).isGreaterThan(64 << 10);
    register();
    Random random = new Random(5);
    List<Integer> sizes = new ArrayList<>();
    List<LentMessage> all = new ArrayList<>();
    try (Arena arena = Arena.ofShared()) {
      MemorySegment[] data = new MemorySegment[256];
      for (int id = 0; id < data.length; id++) {
        data[id] = data(arena, most, id);
      }
      int received = 0;
      for (int id = 0; id < rounds; id++) {
        // Of all magnitudes, and the largest.
        int size = random.nextInt(8) == 0 ? most : random.nextInt(1 << random.nextInt(1, 18));
        sizes.add(size);
        all.add(lent(id, data[id & 0xff].asSlice(0, size), () -> true));
        LentMessage next = all.getLast();
        group.submit(() -> channel.writeAndFlush(next)).sync();
        for (int reads = random.nextInt(2); reads > 0 && received < id; reads--) {
          expectLent(received, sizes.get(received));
          received++;
        }
        group
            .submit(() ->
                assertThat(all)
                    .allSatisfy(
                        message -> assertThat(message.isSent()).isEqualTo(message.hasBegun())))
            .sync();
      }
      assertThat(all.getLast().hasBegun()).as("the last, with the socket full").isFalse();
      for (; received < rounds; received++) {
        expectLent(received, sizes.get(received));
      }
    }
  }

  @Test
  void largeMessagesArriveWhole() throws Exception {
    register();
    for (int id = 0; id < 6; id++) {
      peer.send(frame(id, 1 << 20, memory(id + 1)), LONG);
      Frame received = (Frame) nextEvent();
      assertThat(received.header().id()).isEqualTo(id);
      assertThat(pages(received)).containsExactly((long) id + 1);
      for (int at = 0; at < 1 << 20; at += 4001) {
        assertThat(RegionWrite.Request.decode(received.payload()).data().getByte(at))
            .isEqualTo((byte) at);
      }
      received.release();
    }
  }

  @Test
  void payloadsInPiecesAndOnTheHeap() throws Exception {
    register();
    CompositeByteBuf pieces = Unpooled.compositeBuffer(200);
    for (int i = 0; i < 150; i++) {
      pieces.addComponent(true, Unpooled.directBuffer().writeByte(i));
    }
    channel.write(raw(1, pieces));
    channel.write(raw(2, Unpooled.wrappedBuffer(new byte[] {1, 2, 3})));
    channel.write(raw(3, Unpooled.EMPTY_BUFFER));
    channel.flush();
    Frame first = peer.receive(LONG);
    assertThat(first.payload().readableBytes()).isEqualTo(150);
    for (int i = 0; i < 150; i++) {
      assertThat(first.payload().getUnsignedByte(first.payload().readerIndex() + i))
          .isEqualTo((short) i);
    }
    first.release();
    expectIds(2, 3);
    assertThat(pieces.refCnt()).isZero();
  }

  @Test
  void aWriterIsNotHeardWhileNobodyReads() throws Exception {
    channel.config().setAutoRead(false);
    register();
    peer.send(frame(1, 8), LONG);
    peer.send(frame(2, 8), LONG);
    onLoop();
    assertThat(events).isEmpty();

    channel.read();
    assertThat(((Frame) nextEvent()).header().id()).isEqualTo(1);
    assertThat(((Frame) nextEvent()).header().id()).isEqualTo(2);
    onLoop();

    channel.config().setAutoRead(true);
    peer.send(frame(3, 8), LONG);
    assertThat(((Frame) nextEvent()).header().id()).isEqualTo(3);

    channel.config().setAutoRead(false);
    onLoop();
    peer.send(frame(4, 8), LONG);
    onLoop();
    assertThat(events).isEmpty();
  }

  @Test
  void aWriterThatNobodyReadsIsHeldBack() throws Exception {
    channel.config().setAutoRead(false);
    register();
    int sent = 0;
    try {
      for (; sent < 64; sent++) {
        peer.send(frame(sent, 1 << 20), Duration.ofMillis(100));
      }
    } catch (SocketTimeoutException e) {
      assertThat(sent).isLessThan(4);
    }
    assertThat(sent).isLessThan(64);
  }

  @Test
  void theDeathOfAPeerIsSeenEvenWhenNobodyReads() throws Exception {
    channel.config().setAutoRead(false);
    register();
    peer.send(frame(1, 8, memory(1)), LONG);
    peer.close();
    assertThat(nextEvent()).isEqualTo("inactive");
    assertThat(channel.isOpen()).isFalse();
  }

  @Test
  void theEndClosesTheChannelAfterAllThatWasSent() throws Exception {
    register();
    peer.send(frame(1, 8), LONG);
    peer.send(frame(2, 8, memory(1)), LONG);
    peer.close();
    assertThat(((Frame) nextEvent()).header().id()).isEqualTo(1);
    Frame second = (Frame) nextEvent();
    assertThat(pages(second)).containsExactly(1L);
    second.release();
    assertThat(nextEvent()).isEqualTo("inactive");
  }

  @Test
  void aPeerThatLeavesWithRepliesUnreadIsAnEndLikeAnother() throws Exception {
    register();
    channel.writeAndFlush(frame(1, 8)).sync();
    peer.close();
    assertThat(nextEvent()).isEqualTo("inactive");
  }

  @Test
  void anEndInMidMessageClosesItsDescriptors() throws Exception {
    register();
    ByteBuf part = Unpooled.directBuffer().writeZero(4).writeIntLE(100).writeZero(20);
    FileDescriptor sent = memory(1);
    peer.send(part, List.of(sent), LONG);
    sent.close();
    peer.close();
    assertThat(nextEvent()).isEqualTo("inactive");
    assertThat(OpenDescriptors.memoryFiles(memory)).isZero();
  }

  @Test
  void aHalfClosedPeerStillGetsReplies() throws Exception {
    channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    register();
    peer.send(frame(1, 8), LONG);
    UnixSocket.shutdown(peer.socket(), UnixSocket.Direction.WRITE);
    Frame request = (Frame) nextEvent();
    assertThat(nextEvent()).isEqualTo(ChannelInputShutdownEvent.INSTANCE);
    channel.writeAndFlush(request).sync();
    expectIds(1);
    peer.close();
    assertThat(nextEvent()).isEqualTo("inactive");
  }

  @Test
  void closingEndsTheConnectionAndFreesWhatWasNotSent() throws Exception {
    channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(1 << 24, 1 << 25));
    register();
    List<Frame> frames = new ArrayList<>();
    for (int id = 0; id < 4; id++) {
      Frame frame = frame(id, 1 << 20, memory(1));
      frames.add(frame);
      channel.write(frame);
    }
    channel.flush();
    onLoop();
    channel.close().sync();
    onLoop();
    assertThat(frames).allSatisfy(frame -> assertThat(frame.refCnt()).isZero());
    assertThat(channel.isActive()).isFalse();
    assertThatThrownBy(
            () -> {
              while (true) {
                peer.receive(LONG).release();
              }
            })
        .isInstanceOf(EOFException.class);
  }

  @Test
  void anErrorOfAHandlerIsToldAndTheNextMessageIsReceived() throws Exception {
    AtomicInteger calls = new AtomicInteger();
    channel
        .pipeline()
        .get(FrameDecoder.class)
        .handleInPlace((_, _, _) -> {
          if (calls.incrementAndGet() == 1) {
            throw new AssertionError("on purpose");
          }
          return false;
        });
    register();
    peer.send(frame(1, 8), LONG);
    assertThat((Throwable) nextEvent()).hasMessage("on purpose");
    peer.send(frame(2, 8), LONG);
    assertThat(((Frame) nextEvent()).header().id()).isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whoCannotReceiveAnyMoreHangsUp(boolean error) throws Exception {
    // The kind of buffer that fails where no receiver has the loop's lock.
    channel
        .config()
        .setAllocator(
            new AbstractByteBufAllocator(true) {
              @Override
              protected ByteBuf newDirectBuffer(int initial, int most) {
                return new UnpooledDirectByteBuf(this, initial, most) {
                  @Override
                  public int writableBytes() {
                    if (error) {
                      throw new AssertionError("on purpose");
                    }
                    throw new IllegalStateException("on purpose");
                  }
                };
              }

              @Override
              protected ByteBuf newHeapBuffer(int initial, int most) {
                return new UnpooledHeapByteBuf(this, initial, most);
              }

              @Override
              public boolean isDirectBufferPooled() {
                return false;
              }
            });
    register();
    try {
      peer.send(frame(1, 8), LONG);
    } catch (LinuxException e) {
      // Some look for it before it comes.
      assertThat(e.errno()).isEqualTo(Errno.EPIPE);
    }
    assertThat((Throwable) nextEvent()).hasMessage("on purpose");
    assertThat(nextEvent()).isEqualTo("inactive");
    assertThatThrownBy(() -> peer.receive(LONG)).isInstanceOf(EOFException.class);
    // Nobody has kept the loop's lock: it goes on.
    group.submit(() -> {}).get(20, TimeUnit.SECONDS);
  }

  @Test
  void lostFramingClosesTheChannel() throws Exception {
    register();
    peer.send(Unpooled.directBuffer().writeZero(16), List.of(), LONG);
    assertThat(nextEvent()).isInstanceOf(FramingException.class);
    assertThat(nextEvent()).isEqualTo("inactive");
    assertThatThrownBy(() -> peer.receive(LONG)).isInstanceOf(EOFException.class);
  }

  @Test
  void aShutdownOfTheLoopClosesTheSocket() throws Exception {
    register();
    group.shutdownGracefully(0, 10, TimeUnit.SECONDS).sync();
    assertThat(channel.isOpen()).isFalse();
    assertThat(nextEvent()).isEqualTo("inactive");
    assertThatThrownBy(() -> peer.receive(LONG)).isInstanceOf(EOFException.class);
  }

  @Test
  void aShutdownOfALoopThatIsAwakeClosesTheSocketToo() throws Exception {
    register();
    // It looks at no socket between this task and its end.
    group.submit(() -> group.shutdownGracefully(0, 10, TimeUnit.SECONDS)).sync();
    group.terminationFuture().sync();
    assertThat(channel.isOpen()).isFalse();
    assertThat(nextEvent()).isEqualTo("inactive");
    assertThatThrownBy(() -> peer.receive(LONG)).isInstanceOf(EOFException.class);
  }

  @Test
  void aServerAcceptsOneAfterTheOther(@TempDir Path directory) throws Exception {
    Path path = directory.resolve("server");
    FileDescriptor listening = UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 8);
    Channel server =
        new ServerBootstrap()
            .group(group)
            .channelFactory(() -> new DescriptorServerSocketChannel(listening))
            .childHandler(
                new ChannelInitializer<DescriptorSocketChannel>() {
                  @Override
                  protected void initChannel(DescriptorSocketChannel accepted) throws IOException {
                    events.add(accepted.peerCredentials().pid());
                    accepted.pipeline().addLast(new FrameDecoder(), new Recorder(events));
                  }
                })
            .register()
            .sync()
            .channel();
    for (int id = 0; id < 3; id++) {
      try (MessageSocket client = new MessageSocket(UnixSocket.connect(path, LONG))) {
        client.send(frame(id, 8, memory(1)), LONG);
        assertThat(nextEvent()).isEqualTo((int) ProcessHandle.current().pid());
        Frame request = (Frame) nextEvent();
        assertThat(request.header().id()).isEqualTo(id);
        request.release();
      }
      assertThat(nextEvent()).isEqualTo("inactive");
    }
    server.close().sync();
    assertThat(listening.isOpen()).isFalse();
  }

  @Test
  void aServerWhoseSocketIsClosedUnderItStopsAccepting(@TempDir Path directory) throws Exception {
    Path path = directory.resolve("server");
    FileDescriptor listening = UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 8);
    Channel server = new DescriptorServerSocketChannel(listening);
    // Between the look whether it is open and the call that accepts.
    server
        .config()
        .setRecvByteBufAllocator(
            new DefaultMaxMessagesRecvByteBufAllocator() {
              @Override
              public RecvByteBufAllocator.ExtendedHandle newHandle() {
                return new MaxMessageHandle() {
                  @Override
                  public int guess() {
                    return 0;
                  }

                  @Override
                  public void attemptedBytesRead(int bytes) {
                    listening.close();
                  }
                };
              }
            });
    server
        .pipeline()
        .addLast(
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelReadComplete(ChannelHandlerContext context) {
                events.add("read");
              }

              @Override
              public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
                events.add(cause);
              }
            });
    group.register(server).sync();
    UnixSocket.connect(path, LONG).close();
    assertThat(nextEvent()).isEqualTo("read");
    onLoop();
    assertThat(events).isEmpty();
  }

  /** Waits until the loop has done what it was told, and looked at its sockets since. */
  private void onLoop() throws Exception {
    for (int i = 0; i < 3; i++) {
      group.submit(() -> {}).sync();
    }
  }

  private void expectIds(int... ids) throws IOException {
    for (int id : ids) {
      Frame frame = peer.receive(LONG);
      assertThat(frame.header().id()).isEqualTo(id);
      frame.release();
    }
  }

  private FileDescriptor memory(int pages) throws IOException {
    return SharedMemory.create(memory, pages * 4096L);
  }

  private static List<Long> pages(Frame frame) throws IOException {
    List<Long> pages = new ArrayList<>();
    for (int i = 0; i < frame.descriptors().count(); i++) {
      pages.add(FileStatus.of(frame.descriptors().get(i).orElseThrow()).size() / 4096);
    }
    return pages;
  }

  /** A write of data that count up from 0. */
  private static Frame frame(int id, int length, FileDescriptor... descriptors) {
    ByteBuf data = Unpooled.directBuffer(length);
    for (int i = 0; i < length; i++) {
      data.writeByte(i);
    }
    try {
      return Frame.request(
          id,
          Command.REGION_WRITE,
          false,
          new RegionWrite.Request(0, 0, data),
          Descriptors.of(descriptors),
          ByteBufAllocator.DEFAULT);
    } finally {
      data.release();
    }
  }

  private static Frame raw(int id, ByteBuf payload) {
    return new Frame(
        Header.request(id, Command.DEVICE_RESET, payload.readableBytes(), false),
        payload,
        Descriptors.none());
  }
}
