package dev.peerbar.server.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.Mockito.RETURNS_DEEP_STUBS;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.timeout;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.when;

import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.protocol.socket.FrameDecoder;
import dev.peerbar.protocol.socket.SocketEventLoop;
import dev.peerbar.server.dma.MessagePath;
import dev.peerbar.server.dma.MessagePath.Exchange;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests of the function to a client that does not receive, or receives and does not reply. */
@Tag("polled")
@Timeout(60)
final class ClientMemoryTest {
  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final int MOST_PENDING = 1 << 14;
  private static final int PIECE = 64 << 10;
  private static final int LARGE = 1 << 20;
  private static final byte POISON = 0x66;

  private final ServedFunction function = mock(ServedFunction.class, RETURNS_DEEP_STUBS);
  private final MessagePath.Completion completion = completion();
  private final EventLoopGroup loop = SocketEventLoop.group(new DefaultThreadFactory("memory"));
  private final Arena arena = Arena.ofShared();
  private MessageSocket client;
  private DescriptorSocketChannel channel;
  private ClientMemory memory;

  @BeforeEach
  void connect() throws Exception {
    UnixSocket.Pair pair = UnixSocket.pair();
    client = new MessageSocket(pair.first());
    channel = DescriptorSocketChannel.adopt(pair.second());
    memory = new ClientMemory(function, channel, 1 << 20);
    channel
        .pipeline()
        .addLast(
            new FrameDecoder(),
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelRead(ChannelHandlerContext context, Object message) {
                Frame reply = (Frame) message;
                memory.reply(reply);
                reply.release();
              }

              @Override
              public void channelInactive(ChannelHandlerContext context) {
                memory.close();
              }
            });
    loop.register(channel).sync();
  }

  @AfterEach
  void close() throws Exception {
    client.close();
    channel.close().sync();
    loop.shutdownGracefully(0, 10, TimeUnit.SECONDS).sync();
    arena.close();
  }

  private static MessagePath.Completion completion() {
    MessagePath.Completion completion = mock(MessagePath.Completion.class);
    when(completion.mayBegin()).thenReturn(true);
    return completion;
  }

  private <T> T onLoop(Callable<T> call) throws Exception {
    return loop.submit(call).get(LIMIT.toSeconds(), TimeUnit.SECONDS);
  }

  /** A piece that begins and ends with a number. */
  private MemorySegment piece(int number) {
    MemorySegment piece = arena.allocate(PIECE, Long.BYTES);
    piece.set(ValueLayout.JAVA_INT, 0, number);
    piece.set(ValueLayout.JAVA_INT, PIECE - Integer.BYTES, number);
    return piece;
  }

  /** The number of the next piece that the client is sent. */
  private int receive() throws Exception {
    Frame frame = client.receive(LIMIT);
    try {
      assertThat(frame.header().knownCommand()).contains(Command.DMA_WRITE);
      ByteBuf data = DmaWrite.Request.decode(frame.payload()).data();
      int number = data.getIntLE(data.readerIndex());
      assertThat(data.getIntLE(data.writerIndex() - Integer.BYTES)).isEqualTo(number);
      return number;
    } finally {
      frame.release();
    }
  }

  @Test
  void aClientThatRepliesToNothingIsGivenUp() throws Exception {
    MemorySegment into = arena.allocate(64);
    for (int i = 0; i < MOST_PENDING; i++) {
      long address = i;
      Exchange exchange = onLoop(() -> memory.read(address, into, completion));
      client.receive(LIMIT).release();
      onLoop(() -> {
        exchange.abandon();
        return null;
      });
    }
    assertThat(channel.isOpen()).isTrue();
    onLoop(() -> memory.read(0, into, completion));
    channel.closeFuture().sync();
    verify(completion, timeout(LIMIT.toMillis())).failed();
    verify(completion, never()).done();
  }

  // A client that does not receive.

  private List<Exchange> write(MemorySegment... pieces) throws Exception {
    return onLoop(() -> {
      List<Exchange> all = new ArrayList<>();
      for (MemorySegment piece : pieces) {
        all.add(memory.write(0x1000, piece, completion));
      }
      return all;
    });
  }

  @Test
  void whatWaitsTakesNoMemory() throws Exception {
    final int pieces = 2_000;
    MemorySegment piece = piece(1);
    long before = directBytes();
    for (int i = 0; i < pieces; i++) {
      write(piece);
    }
    long waiting = directBytes() - before;
    System.out.printf(
        "%d messages of %d KiB that nobody receives: %d KiB of buffers%n",
        pieces, PIECE >> 10, waiting >> 10);
    assertThat(waiting).isLessThan(5 << 20);
    for (int i = 0; i < pieces; i++) {
      assertThat(receive()).isEqualTo(1);
    }
  }

  private static long directBytes() {
    return ((ByteBufAllocatorMetricProvider) ByteBufAllocator.DEFAULT).metric().usedDirectMemory();
  }

  @Test
  void whatIsAbandonedHalfSentIsFinishedAndNothingElseIsSent() throws Exception {
    MemorySegment begun;
    try (Arena lent = Arena.ofShared()) {
      begun = large(lent, 1);
      List<Exchange> all = write(begun, large(lent, 2), large(lent, 3));
      onLoop(() -> {
        all.forEach(Exchange::abandon);
        begun.fill(POISON);
        return null;
      });
      // And now it is gone: to read it would be an error.
    }
    MemorySegment next = large(arena, 4);
    write(next);
    assertThat(receive()).isEqualTo(1);
    assertThat(receive()).isEqualTo(4);
    verify(completion, never()).done();
    verify(completion, never()).failed();
  }

  /** More than the socket takes at once. */
  private static MemorySegment large(Arena arena, int number) {
    MemorySegment piece = arena.allocate(LARGE, Long.BYTES);
    for (long at = 0; at < LARGE; at += Integer.BYTES) {
      piece.set(ValueLayout.JAVA_INT, at, number);
    }
    return piece;
  }

  @Test
  void aReplyToWhatWasNotSentIsNoReply() throws Exception {
    MemorySegment second = large(arena, 2);
    write(large(arena, 1), second);
    client.send(Frame.reply(Header.request(2, Command.DMA_WRITE, 0, false)), LIMIT);
    Frame first = client.receive(LIMIT);
    client.send(Frame.reply(first.header()), LIMIT);
    first.release();
    verify(completion, timeout(LIMIT.toMillis())).done();
    Frame sent = client.receive(LIMIT);
    client.send(Frame.reply(sent.header()), LIMIT);
    sent.release();
    verify(completion, timeout(LIMIT.toMillis()).times(2)).done();
    verify(completion, never()).failed();
  }

  @Test
  void aReplyToWhatIsHalfSentEndsTheLoan() throws Exception {
    MemorySegment begun;
    try (Arena lent = Arena.ofShared()) {
      begun = large(lent, 1);
      write(begun);
      client.send(Frame.reply(Header.request(1, Command.DMA_WRITE, 0, false)), LIMIT);
      verify(completion, timeout(LIMIT.toMillis())).done();
      begun.fill(POISON);
    }
    assertThat(receive()).isEqualTo(1);
  }

  @Test
  void whatMayNotBeginWhenItsTurnComesIsNotSent() throws Exception {
    MessagePath.Completion forbidden = completion();
    write(large(arena, 1));
    onLoop(() -> memory.write(0, large(arena, 2), forbidden));
    when(forbidden.mayBegin()).thenReturn(false);
    write(large(arena, 3));
    assertThat(receive()).isEqualTo(1);
    assertThat(receive()).isEqualTo(3);
    verify(forbidden, timeout(LIMIT.toMillis())).failed();
    verify(forbidden, never()).done();
  }

  @Test
  void whatMayNotBeginAtOnceFailsAfterTheCall() throws Exception {
    MessagePath.Completion forbidden = mock(MessagePath.Completion.class);
    onLoop(() -> {
      memory.read(0, arena.allocate(64), forbidden);
      verify(forbidden, never()).failed();
      return null;
    });
    verify(forbidden, timeout(LIMIT.toMillis())).failed();
    write(piece(5));
    assertThat(receive()).isEqualTo(5);
  }

  @Test
  void theEndOfTheConnectionEndsEveryLoan() throws Exception {
    final int pieces = 20;
    try (Arena lent = Arena.ofShared()) {
      for (int i = 0; i < pieces; i++) {
        write(large(lent, i));
      }
      client.close();
      verify(completion, timeout(LIMIT.toMillis()).times(pieces)).failed();
    }
    channel.closeFuture().sync();
  }
}
