package dev.peerbar.protocol.socket;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import io.netty.buffer.ByteBuf;
import io.netty.channel.AbstractChannel;
import io.netty.channel.Channel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelMetadata;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.io.IOException;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadFactory;

/**
 * A connected Unix stream socket whose bytes come and go together with file descriptors.
 *
 * <p>Reads fire a {@link ByteBuf}, or {@link DescriptorBytes} for bytes that descriptors came with,
 * one for each receive. Writes take {@link Frame}s and {@link LentMessage}s, and for tests ByteBufs
 * and DescriptorBytes; each is one send as long as the socket takes it whole. Descriptors go with
 * the first byte, and are closed when the message is sent or failed.
 *
 * <p>A message costs one epoll_wait, one recvmsg and one sendmsg: a receive that comes short ends
 * the reading, without another that learns of the end. After {@link #receiveOnThread} it costs no
 * epoll_wait.
 *
 * <p>Registers with a {@link SocketEventLoop}. Is active from the beginning. Connect and bind are
 * not supported: see {@link UnixSocket}.
 */
public final class DescriptorSocketChannel extends AbstractChannel {
  private static final int MAX_MESSAGES_PER_READ = 16;
  private static final ChannelMetadata METADATA = new ChannelMetadata(false, MAX_MESSAGES_PER_READ);

  private final FileDescriptor socket;
  private final DescriptorChannelConfig config =
      new DescriptorChannelConfig(this, this::autoReadCleared);
  private final SocketMessages messages = new SocketMessages();
  private final Outbound outbound = new Outbound(messages);
  private final EpollInterest interest;
  private final Receiver.Owner reception = new Reception();
  private Optional<Receiver> receiver = Optional.empty();
  // Asked before the pipeline is; null if there is none.
  private FrameDecoder decoder;
  private int mostDescriptors = SocketMessages.MAX_DESCRIPTORS;
  private boolean readPending;
  private boolean inputEnded;
  private boolean closesWhenSent;

  DescriptorSocketChannel(Channel parent, FileDescriptor socket) {
    super(parent);
    this.socket = socket;
    this.interest = new EpollInterest(socket, new Readiness());
  }

  /**
   * A channel of a connected socket, which it takes over. Whether the socket blocks is the same.
   */
  public static DescriptorSocketChannel adopt(FileDescriptor socket) {
    return new DescriptorSocketChannel(null, socket);
  }

  /**
   * Who was on the other end when the connection was made.
   *
   * @throws LinuxException EBADF if the channel is closed
   */
  public UnixSocket.Credentials peerCredentials() throws LinuxException {
    return UnixSocket.peerCredentials(socket);
  }

  /** Whether the peer has closed the connection, even if what it sent is still to be read. */
  public boolean peerHasGone() {
    try {
      return UnixSocket.hasHungUp(socket);
    } catch (LinuxException e) {
      // Closed at this end.
      return true;
    }
  }

  /**
   * Receives on a thread of this channel's own from now on, until it is closed. The thread takes
   * part in the event loop. On the event loop, once, amid the handling of a message or before the
   * first.
   *
   * @param threads makes the thread
   * @param spin how long that thread looks for the next message before it sleeps, at most; zero for
   *     not at all
   * @throws LinuxException EBADF
   */
  public void receiveOnThread(ThreadFactory threads, Duration spin) throws LinuxException {
    // The other calls here do not wait whatever the socket says.
    UnixSocket.makeBlocking(socket);
    SocketMessages receiving = new SocketMessages();
    receiving.limitReceived(mostDescriptors);
    Receiver made =
        new Receiver(
            socket,
            receiving,
            (SocketEventLoop) eventLoop(),
            reception,
            config.getAllocator(),
            spin.toNanos());
    boolean reading = interest.wants(EpollInterest.IN);
    interest.ignore(EpollInterest.IN);
    receiver = Optional.of(made);
    decoder = pipeline().get(FrameDecoder.class);
    wantInput(reading);
    threads.newThread(made).start();
  }

  /**
   * Limits the descriptors that one receive takes, and with it what a peer can have this process
   * keep open. Those beyond are closed, and the message is marked {@link Descriptors#truncated}.
   * Before {@link #receiveOnThread}.
   *
   * @param most at most {@link SocketMessages#MAX_DESCRIPTORS}, and even
   */
  public void limitDescriptors(int most) {
    mostDescriptors = most;
    messages.limitReceived(most);
  }

  /**
   * From now on a {@link LentMessage} of up to some size begins to be sent only when the socket
   * takes it whole, so that no part of one is ever left to be sent. On the event loop or before.
   *
   * @return the size, in bytes
   * @throws LinuxException EBADF
   */
  public int beginWhole() throws LinuxException {
    SendBuffer buffer = SendBuffer.widened(socket);
    outbound.beginWhole(buffer);
    return buffer.mostWhole();
  }

  /**
   * Sends a message at once, without the pipeline and without an object. On the event loop.
   *
   * @param message direct; stays the caller's
   * @return false if something else waits to be sent, or the socket takes nothing now: then nothing
   *     is sent
   * @throws IOException if it cannot be sent
   */
  boolean sendAtOnce(ByteBuf message) throws IOException {
    ChannelOutboundBuffer waiting = unsafe().outboundBuffer();
    return waiting != null
        && waiting.totalPendingWriteBytes() == 0
        && outbound.sendAtOnce(socket, message);
  }

  @Override
  public ChannelConfig config() {
    return config;
  }

  @Override
  public ChannelMetadata metadata() {
    return METADATA;
  }

  @Override
  public boolean isOpen() {
    return socket.isOpen();
  }

  @Override
  public boolean isActive() {
    return socket.isOpen();
  }

  @Override
  protected boolean isCompatible(EventLoop loop) {
    return EpollInterest.isCompatible(loop);
  }

  @Override
  protected SocketAddress localAddress0() {
    return null;
  }

  @Override
  protected SocketAddress remoteAddress0() {
    return null;
  }

  @Override
  protected void doRegister(ChannelPromise promise) {
    interest.register(eventLoop(), promise);
  }

  @Override
  protected void doDeregister() {
    interest.cancel();
  }

  @Override
  protected void doBind(SocketAddress localAddress) {
    throw new UnsupportedOperationException("a connected socket cannot be bound");
  }

  @Override
  protected void doDisconnect() {
    doClose();
  }

  @Override
  protected void doClose() {
    interest.cancel();
    try {
      UnixSocket.finish(socket);
    } catch (LinuxException _) {
      // Not connected any more: nothing to be kind to.
    } finally {
      socket.close();
      receiver.ifPresent(Receiver::close);
    }
  }

  /**
   * Takes in what the peer has sent by now and nothing after it, then closes: a peer that waits for
   * answers gets those it can still get. The peer's sends fail from now on. For the event loop.
   *
   * @throws LinuxException ENOTCONN
   */
  public void endInput() throws LinuxException {
    UnixSocket.shutdown(socket, UnixSocket.Direction.READ);
  }

  @Override
  protected void doShutdownOutput() throws LinuxException {
    UnixSocket.shutdown(socket, UnixSocket.Direction.WRITE);
  }

  @Override
  protected void doBeginRead() {
    readPending = true;
    if (!inputEnded) {
      wantInput(true);
    }
  }

  private void wantInput(boolean on) {
    if (receiver.isPresent()) {
      receiver.get().want(on);
      interest.quiet(on);
    } else if (on) {
      interest.want(EpollInterest.IN);
    } else {
      interest.ignore(EpollInterest.IN);
    }
  }

  private void autoReadCleared() {
    if (!isRegistered()) {
      return;
    }
    EventLoop loop = eventLoop();
    if (loop.inEventLoop()) {
      stopReading();
    } else {
      loop.execute(() -> {
        if (!config.isAutoRead()) {
          stopReading();
        }
      });
    }
  }

  private void stopReading() {
    readPending = false;
    wantInput(false);
  }

  @Override
  protected Object filterOutboundMessage(Object message) {
    return switch (message) {
      case Frame frame -> {
        checkCount(frame.descriptors());
        yield frame.payload().isDirect() || !frame.payload().isReadable() ? frame : direct(frame);
      }
      case DescriptorBytes both when both.bytes().isDirect() -> {
        checkCount(both.descriptors());
        yield both;
      }
      case LentMessage lent -> lent;
      case ByteBuf bytes when bytes.isDirect() -> bytes;
      case ByteBuf bytes -> {
        ByteBuf copy = direct(bytes);
        bytes.release();
        yield copy;
      }
      default ->
          throw new UnsupportedOperationException("cannot send " + message.getClass().getName());
    };
  }

  private static void checkCount(Descriptors descriptors) {
    if (descriptors.count() > SocketMessages.MAX_DESCRIPTORS) {
      throw new IllegalArgumentException(descriptors.count() + " descriptors in one message");
    }
  }

  private Frame direct(Frame frame) {
    ByteBuf payload = direct(frame.payload());
    Descriptors descriptors =
        Descriptors.of(frame.descriptors().takeAll(), frame.descriptors().truncated());
    Frame copy = new Frame(frame.header(), payload, descriptors);
    frame.release();
    return copy;
  }

  private ByteBuf direct(ByteBuf bytes) {
    ByteBuf copy = alloc().directBuffer(Math.max(1, bytes.readableBytes()));
    return copy.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
  }

  @Override
  protected void doWrite(ChannelOutboundBuffer buffer) throws Exception {
    for (int left = maxMessagesPerWrite(); left > 0; left--) {
      Object message = buffer.current();
      if (message == null) {
        interest.ignore(EpollInterest.OUT);
        if (closesWhenSent) {
          eventLoop().execute(this::closeWhenSent);
        }
        return;
      }
      if (!outbound.send(socket, message)) {
        interest.want(EpollInterest.OUT);
        return;
      }
      buffer.remove();
    }
    // Others on the loop come first.
    interest.ignore(EpollInterest.OUT);
    eventLoop().execute(unsafe()::flush);
  }

  @Override
  protected AbstractUnsafe newUnsafe() {
    return new SocketUnsafe();
  }

  private final class SocketUnsafe extends AbstractUnsafe {
    @Override
    public void connect(SocketAddress remote, SocketAddress local, ChannelPromise promise) {
      promise.setFailure(new UnsupportedOperationException("connected already"));
    }

    @Override
    protected void flush0() {
      // A socket that takes no more now says when it does.
      if (!interest.wants(EpollInterest.OUT)) {
        super.flush0();
      }
    }

    void flushNow() {
      super.flush0();
    }
  }

  private final class Readiness implements EpollInterest.Listener {
    @Override
    public void ready(int events) {
      boolean failed = (events & (EpollInterest.ERROR | EpollInterest.HANG_UP)) != 0;
      if (interest.wants(EpollInterest.OUT) && (failed || (events & EpollInterest.OUT) != 0)) {
        ((SocketUnsafe) unsafe()).flushNow();
      }
      if (!isOpen()) {
        return;
      }
      if (interest.wants(EpollInterest.IN)) {
        if (failed || (events & EpollInterest.IN) != 0) {
          readInput();
        }
      } else if (failed) {
        hungUp();
      }
    }

    @Override
    public void loopEnds() {
      unsafe().close(voidPromise());
    }
  }

  /** The peer is gone in both directions, which epoll says again and again. */
  private void hungUp() {
    if (receiver.isPresent() && receiver.get().wanted()) {
      // It receives what is left, and the end.
      interest.cancel();
    } else {
      // Nobody wants to read what the peer may have left, so there is nothing to stay open for.
      unsafe().close(voidPromise());
    }
  }

  /** What the receiver's thread brings, with the loop's lock. */
  private final class Reception implements Receiver.Owner {
    @Override
    public boolean isOpen() {
      return DescriptorSocketChannel.this.isOpen();
    }

    @Override
    public void received(Object bytes) {
      if (decoder != null && bytes instanceof ByteBuf plain && decoder.handleInPlace(plain)) {
        return;
      }
      readPending = false;
      pipeline().fireChannelRead(bytes);
      pipeline().fireChannelReadComplete();
      if (!readPending && !config.isAutoRead()) {
        wantInput(false);
      }
    }

    @Override
    public void ended() {
      inputEnded();
    }

    @Override
    public void failed(Throwable cause) {
      receivingFailed(cause);
    }
  }

  /** Whoever sends more would be heard by nobody. */
  private void receivingFailed(Throwable cause) {
    try {
      pipeline().fireExceptionCaught(cause);
    } finally {
      unsafe().close(voidPromise());
    }
  }

  private void readInput() {
    RecvByteBufAllocator.ExtendedHandle sizes =
        (RecvByteBufAllocator.ExtendedHandle) unsafe().recvBufAllocHandle();
    sizes.reset(config);
    boolean ended = false;
    boolean more;
    try {
      do {
        int result = receive(sizes);
        more = result == sizes.attemptedBytesRead();
        ended = result == SocketMessages.END_OF_STREAM;
      } while (more && sizes.continueReading() && isOpen() && interest.wants(EpollInterest.IN));
      sizes.readComplete();
      pipeline().fireChannelReadComplete();
    } catch (IOException | RuntimeException | Error e) {
      sizes.readComplete();
      pipeline().fireChannelReadComplete();
      receivingFailed(e);
    }
    if (ended) {
      inputEnded();
    } else if (!readPending && !config.isAutoRead()) {
      wantInput(false);
    }
  }

  /** What {@link SocketMessages#receive} returned; the bytes are fired. */
  private int receive(RecvByteBufAllocator.ExtendedHandle sizes) throws IOException {
    ByteBuf bytes = config.getAllocator().directBuffer(sizes.guess());
    int result = SocketMessages.WOULD_BLOCK;
    try {
      int room = bytes.writableBytes();
      sizes.attemptedBytesRead(room);
      result = receiveInto(bytes, room);
      sizes.lastBytesRead(result);
    } finally {
      if (result <= 0) {
        bytes.release();
      }
    }
    if (result > 0) {
      bytes.writerIndex(bytes.writerIndex() + result);
      sizes.incMessagesRead(1);
      readPending = false;
      List<FileDescriptor> descriptors = messages.takeDescriptors();
      pipeline()
          .fireChannelRead(
              descriptors.isEmpty() && !messages.truncated()
                  ? bytes
                  : new DescriptorBytes(bytes, Descriptors.of(descriptors, messages.truncated())));
    }
    return result;
  }

  private int receiveInto(ByteBuf bytes, int room) throws IOException {
    try {
      return messages.receive(socket, Outbound.address(bytes, bytes.writerIndex(), room), room);
    } catch (LinuxException e) {
      if (e.errno() == Errno.ECONNRESET) {
        // It left without reading all that we sent: an end like another.
        return SocketMessages.END_OF_STREAM;
      }
      throw e;
    }
  }

  private void inputEnded() {
    if (!isOpen()) {
      return;
    }
    inputEnded = true;
    wantInput(false);
    if (config.isAllowHalfClosure()) {
      pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
    } else {
      closesWhenSent = true;
      closeWhenSent();
    }
  }

  /** Whoever sends no more may still be waiting for what it asked for. */
  private void closeWhenSent() {
    ChannelOutboundBuffer unsent = unsafe().outboundBuffer();
    if (unsent == null || unsent.isEmpty()) {
      unsafe().close(voidPromise());
    }
  }
}
