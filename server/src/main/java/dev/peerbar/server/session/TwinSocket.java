package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.protocol.socket.FramingException;
import dev.peerbar.server.function.ServedFunction;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.WriteBufferWaterMark;
import java.util.Optional;

/**
 * The second socket of a connection, for the server's requests and their replies (vfio-user,
 * Version: twin_socket). Lives on the event loop of the first; the end of either is the end of
 * both, since a device that cannot reach its client's memory any more is of no use to it.
 */
final class TwinSocket extends ChannelInboundHandlerAdapter {
  /** Data of one message, however small Linux lets the socket be. In bytes. */
  private static final int LEAST = 4096;

  private final ServedFunction function;
  private final Channel main;
  private final Channel channel;
  private final ClientMemory memory;

  private TwinSocket(ServedFunction function, Channel main, Channel channel, int maxTransfer) {
    this.function = function;
    this.main = main;
    this.channel = channel;
    this.memory = new ClientMemory(function, channel, maxTransfer);
  }

  /** Both ends. */
  record Pair(TwinSocket server, FileDescriptor client) {}

  /**
   * Makes a pair of sockets and serves one. On the event loop of the first channel.
   *
   * @param maxTransfer what the client takes in one message, in bytes
   * @return empty if there can be none: the client does without
   */
  static Optional<Pair> open(
      ServedFunction function, Channel main, int maxTransfer, WriteBufferWaterMark unsent) {
    UnixSocket.Pair sockets;
    try {
      sockets = UnixSocket.pair();
    } catch (LinuxException e) {
      noTwin(function, e);
      return Optional.empty();
    }
    try {
      return Optional.of(open(function, main, maxTransfer, unsent, sockets));
    } catch (LinuxException e) {
      sockets.close();
      noTwin(function, e);
      return Optional.empty();
    } catch (RuntimeException | Error e) {
      sockets.close();
      throw e;
    }
  }

  private static Pair open(
      ServedFunction function,
      Channel main,
      int maxTransfer,
      WriteBufferWaterMark unsent,
      UnixSocket.Pair sockets)
      throws LinuxException {
    UnixSocket.makeNonBlocking(sockets.first());
    DescriptorSocketChannel channel = DescriptorSocketChannel.adopt(sockets.first());
    // A request that is half sent when a reset is replied to on the other socket would come
    // after the reply, though it was made before.
    int whole = Math.max(LEAST, channel.beginWhole() - ClientMemory.HEAD);
    channel.config().setWriteBufferWaterMark(unsent);
    TwinSocket twin = new TwinSocket(function, main, channel, Math.min(maxTransfer, whole));
    channel.pipeline().addLast(Session.decoder(channel), twin);
    main.eventLoop().register(channel);
    return new Pair(twin, sockets.second());
  }

  private static void noTwin(ServedFunction function, LinuxException cause) {
    function.log().refused("no twin socket", cause.errno().name(), cause.getMessage());
  }

  /** The server's requests go this way. */
  ClientMemory memory() {
    return memory;
  }

  void close() {
    channel.close();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    Frame frame = (Frame) message;
    try {
      if (frame.header().isReply()) {
        memory.reply(frame);
        return;
      }
      // "Commands in the client-to-server direction are handled on the main communication socket."
      function
          .log()
          .refused(
              Commands.name(frame.header()) + " refused",
              Errno.EINVAL.name(),
              "a request on the twin socket");
      if (!frame.header().noReply()) {
        context.write(Frame.failure(frame.header(), Errno.EINVAL), context.voidPromise());
      }
    } finally {
      frame.release();
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    context.flush();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    // Refusals that nobody reads must not pile up.
    context.channel().config().setAutoRead(context.channel().isWritable());
    context.fireChannelWritabilityChanged();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    if (main.isOpen()) {
      function.log().info("the twin socket has ended, and so does the connection");
      main.close();
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    try {
      if (cause instanceof FramingException) {
        function.log().refused("twin socket closed", Errno.EPROTO.name(), cause.getMessage());
      } else {
        function.log().failed("twin socket closed", cause);
      }
    } finally {
      context.close();
    }
  }
}
