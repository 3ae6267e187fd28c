package dev.peerbar.server;

import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.socket.DescriptorServerSocketChannel;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.protocol.socket.SocketEventLoop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where a running endpoint is asked something beside what its clients ask: a UNIX socket beside its
 * own, for its owner only, with a thread of its own. A connection carries one line, and an answer
 * back. For any thread.
 */
final class LineSocket implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(LineSocket.class);

  /** Of a request. In bytes. */
  private static final int LONGEST = 4096;

  /** At a time. More are hung up on. */
  private static final int MOST_CONNECTIONS = 8;

  /** How long a connection may take. */
  private static final long LIMIT_SECONDS = 30;

  /** What is asked, and answered. For the socket's thread. */
  interface Answering {
    /**
     * Answers a line.
     *
     * @param line without its end
     */
    CompletableFuture<byte[]> answer(byte[] line);

    /** An answer that says why there is no other. */
    byte[] refusal(String sentence);
  }

  private final String name;
  private final Answering answering;
  private final SocketFile file;
  private final EventLoopGroup thread;

  /** For the socket's thread. */
  private int connections;

  private LineSocket(String name, Answering answering, SocketFile file, EventLoopGroup thread) {
    this.name = name;
    this.answering = answering;
    this.file = file;
    this.thread = thread;
  }

  /**
   * Begins to answer.
   *
   * @param name of the endpoint
   * @param what is asked, in a word
   * @param path of the socket
   * @throws IOException with a sentence if nobody can listen there
   */
  static LineSocket listen(String name, String what, Path path, Answering answering)
      throws IOException {
    SocketFile file = SocketFile.listen(path, UnixSocket.OWNER_ONLY);
    EventLoopGroup thread =
        SocketEventLoop.group(new DefaultThreadFactory(name + "-" + what, true));
    LineSocket socket = new LineSocket(name, answering, file, thread);
    try {
      Channel server = new DescriptorServerSocketChannel(file.descriptor());
      server.pipeline().addLast(socket.new Accepting());
      thread.register(server).syncUninterruptibly();
      return socket;
    } catch (RuntimeException | Error e) {
      socket.close();
      throw e;
    }
  }

  private final class Accepting extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object accepted) {
      DescriptorSocketChannel channel = (DescriptorSocketChannel) accepted;
      channel.limitDescriptors(0);
      channel.pipeline().addLast(new Conversation());
      thread.register(channel);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      log.debug("{}: a connection is not accepted", name, cause);
    }
  }

  /** One request, and its answer. */
  private final class Conversation extends ChannelInboundHandlerAdapter {
    private final ByteBuf line = Unpooled.buffer(Long.SIZE, LONGEST);
    private Future<?> limit;
    private boolean answered;

    @Override
    public void channelActive(ChannelHandlerContext context) {
      connections++;
      limit = context.executor().schedule(() -> context.close(), LIMIT_SECONDS, TimeUnit.SECONDS);
      if (connections > MOST_CONNECTIONS) {
        answer(
            context,
            answering.refusal("%d others are asking: try again".formatted(MOST_CONNECTIONS)));
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      connections--;
      limit.cancel(false);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      try {
        if (!answered && message instanceof ByteBuf bytes) {
          read(context, bytes);
        }
      } finally {
        ReferenceCountUtil.release(message);
      }
    }

    private void read(ChannelHandlerContext context, ByteBuf bytes) {
      int end = bytes.indexOf(bytes.readerIndex(), bytes.writerIndex(), (byte) '\n');
      int length = end < 0 ? bytes.readableBytes() : end - bytes.readerIndex();
      if (length > line.maxWritableBytes()) {
        answer(context, answering.refusal("a request has %d bytes at most".formatted(LONGEST)));
        return;
      }
      line.writeBytes(bytes, length);
      if (end >= 0) {
        // Nothing that comes later is of interest.
        answered = true;
        answering
            .answer(ByteBufUtil.getBytes(line))
            .whenComplete((answer, failure) ->
                answer(
                    context,
                    failure == null
                        ? answer
                        : answering.refusal("%s does not answer".formatted(name))));
      }
    }

    private void answer(ChannelHandlerContext context, byte[] answer) {
      answered = true;
      context
          .writeAndFlush(Unpooled.wrappedBuffer(answer))
          .addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      log.debug("{}: a connection ended", name, cause);
      context.close();
    }
  }

  @Override
  public void close() {
    file.close();
    thread.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
