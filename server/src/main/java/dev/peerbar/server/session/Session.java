package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.protocol.socket.FrameAssembler;
import dev.peerbar.protocol.socket.FrameDecoder;
import dev.peerbar.protocol.socket.FramingException;
import dev.peerbar.server.events.MessageEvent;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.util.concurrent.ScheduledFuture;
import java.time.Duration;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * A client's connection: requests in, in order, and replies out. A request that is refused changes
 * nothing, is answered with an errno, and leaves the connection usable.
 */
public final class Session extends ChannelInboundHandlerAdapter {
  /**
   * The most bytes of unsent replies with which requests are still read. (Of our own requests one
   * at most waits to be sent.) With less, this server and a client that sends the reply to a read
   * of ours, and receives nothing meanwhile, would wait for each other.
   */
  private static final int MOST_UNSENT = 32 << 20;

  /**
   * Replies that wait for slow steps, before no more requests are read; {@link #MOST_UNSENT} too.
   */
  private static final int MOST_HELD = 256;

  /** How long a connection may take to agree on a version. */
  static final long NEGOTIATION_SECONDS = 30;

  private static final Optional<Command> VERSION = Optional.of(Command.VERSION);

  private final ServedFunction function;
  private final ClientSlot slot;
  private final Map<Command, RequestHandler> handlers = new EnumMap<>(Command.class);
  private final Set<Command> saidUnwanted = EnumSet.noneOf(Command.class);
  private Optional<ClientMemory> memory = Optional.empty();
  private ScheduledFuture<?> silenceLimit;
  private Optional<TwinSocket> twin = Optional.empty();
  // Whether the client's slot is this connection's.
  private boolean placed;
  private boolean hangingUp;
  private int held;
  private long heldBytes;
  // What is being handled; null is nothing.
  private Header current;

  /**
   * @param slot taken when the version is agreed on
   */
  public Session(ServedFunction function, ClientSlot slot) {
    this.function = function;
    this.slot = slot;
  }

  /**
   * The decoder of what a channel receives. It takes as many descriptors as this server's reply to
   * VERSION announces, before that reply too.
   */
  public static FrameDecoder decoder(DescriptorSocketChannel channel) {
    channel.limitDescriptors(Negotiation.MAX_DESCRIPTORS);
    return new FrameDecoder(
        new FrameAssembler(FrameAssembler.DEFAULT_MAX_FRAME_SIZE, Negotiation.MAX_DESCRIPTORS));
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    context
        .channel()
        .config()
        .setWriteBufferWaterMark(new WriteBufferWaterMark(MOST_UNSENT / 2, MOST_UNSENT));
    Negotiation.Outcome outcome =
        new Negotiation.Outcome() {
          @Override
          public Optional<FileDescriptor> agreed(ClientLimits client)
              throws InvalidMessageException {
            return begin(context.channel(), client);
          }

          @Override
          public void incompatible() {
            hangingUp = true;
          }
        };
    int maxDmaMaps = function.bus().table().most();
    handlers.put(Command.VERSION, request -> Negotiation.negotiate(request, maxDmaMaps, outcome));
    silenceLimit =
        context.executor().schedule(() -> hangUp(context), NEGOTIATION_SECONDS, TimeUnit.SECONDS);
  }

  private void hangUp(ChannelHandlerContext context) {
    function.log().warn("hanging up: no version agreed on in %d s", NEGOTIATION_SECONDS);
    context.close();
  }

  /**
   * The version is agreed on: from now on the function can be used. Returns the client's end of the
   * twin socket, if there is one.
   */
  private Optional<FileDescriptor> begin(Channel channel, ClientLimits client)
      throws InvalidMessageException {
    if (!slot.take()) {
      hangingUp = true;
      throw new InvalidMessageException(Errno.EBUSY, "another client is connected");
    }
    placed = true;
    silenceLimit.cancel(false);
    function.clientCame(channel::close);
    Optional<TwinSocket.Pair> pair =
        client.twinSocket()
            ? TwinSocket.open(
                function,
                channel,
                client.maxDataTransfer(),
                channel.config().getWriteBufferWaterMark())
            : Optional.empty();
    twin = pair.map(TwinSocket.Pair::server);
    Optional<FileDescriptor> theirs = pair.map(TwinSocket.Pair::client);
    try {
      serve(channel, client);
      return theirs;
    } catch (RuntimeException | Error e) {
      theirs.ifPresent(FileDescriptor::close);
      throw e;
    }
  }

  private void serve(Channel channel, ClientLimits client) {
    ClientMemory path =
        twin.map(TwinSocket::memory)
            .orElseGet(() -> new ClientMemory(function, channel, client.maxDataTransfer()));
    memory = Optional.of(path);
    function.bus().messages(Optional.of(path));
    LoopWatcher watcher = new LoopWatcher(channel);
    handlers.clear();
    new DeviceRequests(function, client, watcher).register(handlers);
    new DmaRequests(function.bus().kept()).register(handlers);
    new InterruptRequests(function.interrupts(), watcher).register(handlers);
    new RegionRequests(function).register(handlers);
    FeatureRequests features = new FeatureRequests();
    features.register(handlers);
    new DmaLoggingRequests(function.bus()).register(features);
    function
        .migration()
        .ifPresent(
            migration -> new MigrationRequests(migration, client).register(handlers, features));
    channel
        .pipeline()
        .get(FrameDecoder.class)
        .handleInPlace(
            new RegisterAccess(
                function, reply -> hold(channel.pipeline().context(this), null, reply)));
    function.log().info("a client, %s", client);
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    Frame frame = (Frame) message;
    if (wantsSlot(frame) && slot.isBeingLeft()) {
      context.channel().config().setAutoRead(false);
      slot.whenFree(() -> goOn(context, frame));
      return;
    }
    try {
      if (hangingUp) {
        return;
      }
      if (frame.header().isReply()) {
        replied(frame);
      } else {
        // Null if nobody records: nothing is allocated then.
        MessageEvent event = MessageEvent.enabled() ? received(frame) : null;
        current = frame.header();
        Frame reply = answer(frame);
        current = null;
        if (frame.header().noReply()) {
          finish(event, reply.header());
          reply.release();
        } else if (function.bus().gate().slowPieces().unsettled()) {
          hold(context, event, reply);
        } else if (function.faults().delaysReplies()) {
          delay(context, event, frame.header(), reply);
        } else {
          write(context, event, reply);
        }
        if (hangingUp) {
          context.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
        }
      }
    } finally {
      frame.release();
    }
  }

  private static void write(ChannelHandlerContext context, MessageEvent event, Frame reply) {
    context.write(reply, event == null ? context.voidPromise() : sent(context, event, reply));
  }

  /**
   * Sends a reply once what was revoked is not touched any more. Requests that come later do not
   * wait for it.
   */
  private void hold(ChannelHandlerContext context, MessageEvent event, Frame reply) {
    Runnable release = held(context, event, reply);
    function
        .bus()
        .gate()
        .slowPieces()
        .whenSettled(() -> {
          try {
            context.executor().execute(release);
          } catch (RejectedExecutionException _) {
            // The server has stopped.
            reply.release();
          }
        });
  }

  /** Sends a reply as late as a fault has it. */
  private void delay(
      ChannelHandlerContext context, MessageEvent event, Header request, Frame reply) {
    Duration lateness = function.faults().lateness(request.knownCommand());
    if (lateness.isZero()) {
      write(context, event, reply);
    } else {
      context
          .executor()
          .schedule(held(context, event, reply), lateness.toNanos(), TimeUnit.NANOSECONDS);
    }
  }

  /** Counts a reply as one that waits; what is to be done when it does no longer. */
  private Runnable held(ChannelHandlerContext context, MessageEvent event, Frame reply) {
    long size = reply.header().size();
    held++;
    heldBytes += size;
    readAsMayBe(context);
    return () -> {
      held--;
      heldBytes -= size;
      write(context, event, reply);
      context.flush();
      readAsMayBe(context);
    };
  }

  private boolean wantsSlot(Frame request) {
    return memory.isEmpty() && request.header().knownCommand().equals(VERSION);
  }

  /** The slot that a request waited for is free, or was: who else waited may have it by now. */
  private void goOn(ChannelHandlerContext context, Frame request) {
    if (!context.channel().isOpen()) {
      request.release();
      return;
    }
    channelRead(context, request);
    channelReadComplete(context);
    context.channel().config().setAutoRead(true);
  }

  private void replied(Frame reply) {
    if (twin.isEmpty()) {
      memory.ifPresent(path -> path.reply(reply));
    } else {
      function
          .log()
          .refused(
              Commands.name(reply.header()) + " reply dropped",
              Errno.EPROTO.name(),
              "not on the twin socket");
    }
  }

  private MessageEvent received(Frame request) {
    Header header = request.header();
    return function
        .requests()
        .begin(
            function.name(),
            Commands.name(header),
            header.id(),
            header.size(),
            request.descriptors().count());
  }

  /** Finishes the event when the socket has taken the reply. */
  private static ChannelPromise sent(
      ChannelHandlerContext context, MessageEvent event, Frame reply) {
    event.handled();
    event.reply(Commands.errno(reply.header()));
    event.sent(reply.header().size(), reply.descriptors().count());
    // As the void promise does, it lets the pipeline know of a failure.
    return context.voidPromise().unvoid().addListener(_ -> event.finish());
  }

  private static void finish(MessageEvent event, Header unsent) {
    if (event != null) {
      event.handled();
      event.unreplied(Commands.errno(unsent));
      event.finish();
    }
  }

  private Frame answer(Frame request) {
    try {
      RequestHandler handler = handler(request);
      if (!request.header().noReply()) {
        // Who waits for this rang them before.
        function.ringDoorbells();
      }
      return handler.handle(request);
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
    int sent = request.descriptors().count();
    if (sent > mostDescriptors(command) && saidUnwanted.add(command)) {
      function
          .log()
          .info(
              "%s with %d file descriptors takes %d: the others are closed, from now on silently",
              Commands.name(header), sent, mostDescriptors(command));
    }
    return handler;
  }

  /**
   * How many descriptors a command takes. Clients send more (SPDK's initiator one with every
   * DMA_UNMAP), which the reference library overlooks as well; nobody takes them from the request,
   * which closes them. Only DEVICE_SET_IRQS says how many it comes with, and is judged by it.
   */
  private static int mostDescriptors(Command command) {
    return switch (command) {
      case DMA_MAP -> 1;
      case DEVICE_SET_IRQS -> Integer.MAX_VALUE;
      default -> 0;
    };
  }

  private void refused(Header header, Errno errno, String why) {
    function.log().refused(Commands.name(header) + " refused", errno.name(), why);
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    context.flush();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    readAsMayBe(context);
    context.fireChannelWritabilityChanged();
  }

  /** A client that does not read its replies, or waits for many, gets no more requests read. */
  private void readAsMayBe(ChannelHandlerContext context) {
    boolean fewHeld = held < MOST_HELD && heldBytes < MOST_UNSENT;
    context.channel().config().setAutoRead(context.channel().isWritable() && fewHeld);
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    silenceLimit.cancel(false);
    if (!placed) {
      return;
    }
    try {
      twin.ifPresent(TwinSocket::close);
      memory.ifPresent(ClientMemory::close);
      function.clientGone();
      function.log().info("the client has gone");
    } finally {
      slot.leave();
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    try {
      switch (cause) {
        case FramingException _ ->
            function.log().refused("connection closed", Errno.EPROTO.name(), cause.getMessage());
        case LinuxException e ->
            function.log().refused("connection closed", e.errno().name(), e.getMessage());
        default ->
            function
                .log()
                .failed(
                    current == null ? "connection closed" : Commands.name(current) + " failed",
                    cause);
      }
    } finally {
      current = null;
      context.close();
    }
  }
}
