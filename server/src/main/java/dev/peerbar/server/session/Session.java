package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.server.function.ServedFunction;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.WriteBufferWaterMark;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A client's connection: requests in, in order, and replies out. A request that is refused changes
 * nothing, is answered with an errno, and leaves the connection usable.
 */
public final class Session extends ChannelInboundHandlerAdapter {
  private static final Logger log = LoggerFactory.getLogger(Session.class);

  /** Refusals that are logged as warnings; a client that sends nonsense must not fill the disk. */
  private static final int LOGGED_REFUSALS = 16;

  /**
   * What may wait to be sent before no more requests are read: more than all engines of a function
   * have on their way, and as much again for replies. With less, a client that is sending the reply
   * to a read of ours, and receives nothing meanwhile, and this server would wait for each other.
   */
  private static final int MOST_UNSENT = 32 << 20;

  private static final Set<Command> WITH_DESCRIPTORS =
      EnumSet.of(Command.DMA_MAP, Command.DEVICE_SET_IRQS);

  private final ServedFunction function;
  private final Runnable whenOver;
  private final Map<Command, RequestHandler> handlers = new EnumMap<>(Command.class);
  private Optional<ClientMemory> memory = Optional.empty();
  private int refusals;

  /**
   * @param whenOver told when the connection has gone and all it brought is freed
   */
  public Session(ServedFunction function, Runnable whenOver) {
    this.function = function;
    this.whenOver = whenOver;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    context
        .channel()
        .config()
        .setWriteBufferWaterMark(new WriteBufferWaterMark(MOST_UNSENT / 2, MOST_UNSENT));
    handlers.put(
        Command.VERSION,
        request -> Negotiation.negotiate(request, client -> begin(context, client)));
  }

  /** The version is agreed on: from now on the function can be used. */
  private void begin(ChannelHandlerContext context, ClientLimits client) {
    ClientMemory path =
        new ClientMemory(function.name(), context.channel(), client.maxDataTransfer());
    memory = Optional.of(path);
    function.bus().messages(Optional.of(path));
    handlers.clear();
    new DeviceRequests(function).register(handlers);
    new DmaRequests(function.bus().table()).register(handlers);
    new InterruptRequests(function.interrupts()).register(handlers);
    new RegionRequests(function).register(handlers);
    log.info("{}: a client, {}", function.name(), client);
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    Frame frame = (Frame) message;
    try {
      if (frame.header().isReply()) {
        memory.ifPresent(path -> path.reply(frame));
      } else {
        Frame reply = answer(frame);
        if (frame.header().noReply()) {
          reply.release();
        } else {
          context.write(reply, context.voidPromise());
        }
      }
    } finally {
      frame.release();
    }
  }

  private Frame answer(Frame request) {
    try {
      return handler(request).handle(request);
    } catch (InvalidMessageException e) {
      refused(request.header(), e.errno(), e.getMessage());
      return Frame.failure(request.header(), e.errno());
    }
  }

  private RequestHandler handler(Frame request) throws InvalidMessageException {
    Header header = request.header();
    if (header.type() != Header.Type.COMMAND) {
      throw new InvalidMessageException("neither a command nor a reply");
    }
    if (request.descriptors().truncated()) {
      throw new InvalidMessageException(Errno.EMFILE, "file descriptors were lost");
    }
    Command command =
        header
            .knownCommand()
            .orElseThrow(() ->
                new InvalidMessageException(Errno.ENOSYS, "unknown command " + header.command()));
    RequestHandler handler = handlers.get(command);
    if (handler == null) {
      throw memory.isEmpty()
          ? new InvalidMessageException("before the version is negotiated")
          : new InvalidMessageException(
              command == Command.VERSION ? Errno.EINVAL : Errno.ENOTSUP, "not supported");
    }
    if (request.descriptors().count() > 0 && !WITH_DESCRIPTORS.contains(command)) {
      throw new InvalidMessageException("a message with file descriptors that takes none");
    }
    return handler;
  }

  private void refused(Header header, Errno errno, String why) {
    String command = header.knownCommand().map(Command::name).orElse("?");
    if (refusals++ < LOGGED_REFUSALS) {
      log.warn("{}: {} refused with {}: {}", function.name(), command, errno, why);
    } else {
      log.debug("{}: {} refused with {}: {}", function.name(), command, errno, why);
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    context.flush();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    // A client that does not read its replies gets no more requests read.
    context.channel().config().setAutoRead(context.channel().isWritable());
    context.fireChannelWritabilityChanged();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    memory.ifPresent(ClientMemory::close);
    function.clientGone();
    log.info("{}: the client has gone", function.name());
    whenOver.run();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    log.warn("{}: closing the connection: {}", function.name(), cause.toString());
    log.debug("{}: cause", function.name(), cause);
    context.close();
  }
}
