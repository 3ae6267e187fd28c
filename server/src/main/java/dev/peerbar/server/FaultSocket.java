package dev.peerbar.server;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.socket.DescriptorServerSocketChannel;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.protocol.socket.SocketEventLoop;
import dev.peerbar.server.fault.FaultAnswer;
import dev.peerbar.server.fault.FaultRequest;
import dev.peerbar.server.fault.Faults;
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
 * Where a running endpoint takes {@link FaultRequest}s: a UNIX socket beside its own, for its owner
 * only, with a thread of its own. A connection carries one line of JSON and one back. For any
 * thread.
 */
final class FaultSocket implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(FaultSocket.class);

  /** Of a request. In bytes. */
  private static final int LONGEST = 4096;

  /** At a time. More are hung up on. */
  private static final int MOST_CONNECTIONS = 8;

  /** How long a connection may take. */
  private static final long LIMIT_SECONDS = 30;

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .build();

  private final String name;
  private final Faults faults;
  private final SocketFile file;
  private final EventLoopGroup thread;

  /** For the socket's thread. */
  private int connections;

  private FaultSocket(String name, Faults faults, SocketFile file, EventLoopGroup thread) {
    this.name = name;
    this.faults = faults;
    this.file = file;
    this.thread = thread;
  }

  /**
   * Begins to take requests.
   *
   * @param name of the endpoint
   * @param endpoint the path of its socket
   * @throws IOException with a sentence if nobody can listen there
   */
  static FaultSocket listen(String name, Faults faults, Path endpoint) throws IOException {
    SocketFile file = SocketFile.listen(FaultRequest.socketOf(endpoint), UnixSocket.OWNER_ONLY);
    EventLoopGroup thread = SocketEventLoop.group(new DefaultThreadFactory(name + "-inject", true));
    FaultSocket socket = new FaultSocket(name, faults, file, thread);
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
      log.debug("{}: no connection for faults is accepted", name, cause);
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
            FaultAnswer.refusal("%d others are asking: try again".formatted(MOST_CONNECTIONS)));
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
        answer(context, FaultAnswer.refusal("a request has %d bytes at most".formatted(LONGEST)));
        return;
      }
      line.writeBytes(bytes, length);
      if (end >= 0) {
        // Nothing that comes later is of interest.
        answered = true;
        ask(ByteBufUtil.getBytes(line))
            .whenComplete((answer, failure) ->
                answer(
                    context,
                    failure == null
                        ? answer
                        : FaultAnswer.refusal("%s does not answer".formatted(name))));
      }
    }

    private void answer(ChannelHandlerContext context, FaultAnswer answer) {
      answered = true;
      byte[] text;
      try {
        text = JSON.writeValueAsBytes(answer);
      } catch (JsonProcessingException e) {
        throw new AssertionError("an answer is text", e);
      }
      context
          .writeAndFlush(Unpooled.wrappedBuffer(text, new byte[] {'\n'}))
          .addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      log.debug("{}: a connection for faults ended", name, cause);
      context.close();
    }
  }

  private CompletableFuture<FaultAnswer> ask(byte[] line) {
    try {
      FaultRequest request = JSON.readValue(line, FaultRequest.class);
      if (request == null) {
        throw new IllegalArgumentException("ask for one of inject, clear and list");
      }
      CompletableFuture<FaultAnswer> answer = request.askOf(faults);
      log.info("{}: asked for faults, {}", name, request);
      return answer;
    } catch (IllegalArgumentException e) {
      return CompletableFuture.completedFuture(FaultAnswer.refusal(e.getMessage()));
    } catch (IOException e) {
      return CompletableFuture.completedFuture(
          FaultAnswer.refusal(
              "not a request: one line of JSON with inject (and for, times), clear or list"));
    }
  }

  @Override
  public void close() {
    file.close();
    thread.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
