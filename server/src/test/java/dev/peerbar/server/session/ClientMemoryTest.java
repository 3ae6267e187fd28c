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
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.protocol.socket.FrameDecoder;
import dev.peerbar.protocol.socket.SocketEventLoop;
import dev.peerbar.server.dma.MessagePath;
import dev.peerbar.server.dma.MessagePath.Exchange;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Requests of the function to a client that does not receive, or receives and does not reply. */
@Timeout(60)
final class ClientMemoryTest {
  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final int MOST_PENDING = 1 << 14;
  private static final int PIECE = 64 << 10;
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

  private static Frame reply(Frame request) {
    return Frame.reply(request.header());
  }

  /** The number of the next piece that the client is sent. */
  private int receive() throws Exception {
    Frame frame = client.receive(LIMIT);
    try {
      assertThat(frame.header().knownCommand()).contains(Command.DMA_WRITE);
      ByteBuf data = DmaWrite.Request.decode(frame.payload()).data();
      assertThat(data.readableBytes()).isEqualTo(PIECE);
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
}
