package dev.peerbar.server;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.protocol.socket.FrameDecoder;
import dev.peerbar.server.function.ServedFunction;
import dev.peerbar.server.session.Session;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The connections of one function: one client at a time. For the function's thread. */
final class Connections {
  private static final Logger log = LoggerFactory.getLogger(Connections.class);

  private final ServedFunction function;
  private Optional<DescriptorSocketChannel> client = Optional.empty();
  private final List<DescriptorSocketChannel> waiting = new ArrayList<>();

  Connections(ServedFunction function) {
    this.function = function;
  }

  /**
   * Takes in a connection.
   *
   * @param functionThread the event loop to register it with
   */
  void accept(DescriptorSocketChannel channel, EventLoopGroup functionThread) {
    // Not to be read before it has its handlers.
    channel.config().setAutoRead(false);
    // They are chosen after what is ready now: the hang-up of the last client may be among it.
    functionThread
        .register(channel)
        .addListener(_ -> channel.eventLoop().execute(() -> serve(channel)));
  }

  private void serve(DescriptorSocketChannel channel) {
    if (!channel.isOpen()) {
      return;
    }
    if (client.isPresent() && client.get().peerHasGone()) {
      // What the last client sent before it went is still being done: not a reason to refuse.
      waiting.add(channel);
      return;
    }
    channel.pipeline().addLast(new FrameDecoder());
    if (client.isPresent()) {
      channel.pipeline().addLast(new Refusal());
    } else {
      client = Optional.of(channel);
      channel.pipeline().addLast(new Session(function, this::clientGone));
    }
    channel.config().setAutoRead(true);
  }

  private void clientGone() {
    client = Optional.empty();
    List<DescriptorSocketChannel> next = List.copyOf(waiting);
    waiting.clear();
    next.forEach(this::serve);
  }

  /** Ends the client's connection, if there is one. */
  void close() {
    waiting.forEach(Channel::close);
    waiting.clear();
    client.ifPresent(Channel::close);
  }

  /** Answers a second client's first request with EBUSY and hangs up. */
  private final class Refusal extends ChannelInboundHandlerAdapter {

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      Frame frame = (Frame) message;
      try {
        log.warn("{}: refusing a second client", function.name());
        context
            .writeAndFlush(Frame.failure(frame.header(), Errno.EBUSY))
            .addListener(ChannelFutureListener.CLOSE);
      } finally {
        frame.release();
      }
    }
  }
}
