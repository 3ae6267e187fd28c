package dev.peerbar.protocol.socket;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import io.netty.channel.AbstractChannel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelMetadata;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.ServerChannel;
import java.net.SocketAddress;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A listening Unix stream socket. Reads fire a {@link DescriptorSocketChannel} for each connection.
 *
 * <p>The socket listens already ({@link UnixSocket#listen}), so a {@code ServerBootstrap} with
 * {@code channelFactory(() -> new DescriptorServerSocketChannel(socket))} needs {@code register()},
 * not {@code bind}. Is active from the beginning.
 */
public final class DescriptorServerSocketChannel extends AbstractChannel implements ServerChannel {
  private static final int MAX_ACCEPTS_PER_READ = 16;
  private static final ChannelMetadata METADATA = new ChannelMetadata(false, MAX_ACCEPTS_PER_READ);

  /** How long a process that is out of descriptors or memory waits before it accepts again. */
  private static final long PAUSE_MILLIS = 100;

  private final FileDescriptor socket;
  private final DescriptorChannelConfig config =
      new DescriptorChannelConfig(this, this::autoReadCleared);
  private final EpollInterest interest;
  private boolean readPending;

  /**
   * Takes over a listening socket. Any thread may close it under the channel, which ends accepting.
   *
   * @param socket that does not block: a client that leaves before it was accepted would make the
   *     event loop wait for the next
   */
  public DescriptorServerSocketChannel(FileDescriptor socket) {
    super(null);
    this.socket = socket;
    this.interest = new EpollInterest(socket, new Readiness());
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
    throw new UnsupportedOperationException("the socket listens already");
  }

  @Override
  protected void doDisconnect() {
    throw new UnsupportedOperationException("a listening socket has no peer");
  }

  @Override
  protected void doClose() {
    interest.cancel();
    socket.close();
  }

  @Override
  protected void doBeginRead() {
    readPending = true;
    interest.want(EpollInterest.IN);
  }

  private void autoReadCleared() {
    if (!isRegistered()) {
      return;
    }
    EventLoop loop = eventLoop();
    if (loop.inEventLoop()) {
      stopAccepting();
    } else {
      loop.execute(() -> {
        if (!config.isAutoRead()) {
          stopAccepting();
        }
      });
    }
  }

  private void stopAccepting() {
    readPending = false;
    interest.ignore(EpollInterest.IN);
  }

  @Override
  protected void doWrite(ChannelOutboundBuffer buffer) {
    throw new UnsupportedOperationException("a listening socket has no peer");
  }

  @Override
  protected Object filterOutboundMessage(Object message) {
    throw new UnsupportedOperationException("a listening socket has no peer");
  }

  @Override
  protected AbstractUnsafe newUnsafe() {
    return new ServerUnsafe();
  }

  private final class ServerUnsafe extends AbstractUnsafe {
    @Override
    public void connect(SocketAddress remote, SocketAddress local, ChannelPromise promise) {
      promise.setFailure(new UnsupportedOperationException("the socket listens"));
    }
  }

  private final class Readiness implements EpollInterest.Listener {
    @Override
    public void ready(int events) {
      if (isOpen()) {
        accept();
      }
    }

    @Override
    public void loopEnds() {
      unsafe().close(voidPromise());
    }
  }

  private void pause() {
    interest.ignore(EpollInterest.IN);
    eventLoop()
        .schedule(
            () -> {
              if (isOpen() && (readPending || config.isAutoRead())) {
                interest.want(EpollInterest.IN);
              }
            },
            PAUSE_MILLIS,
            TimeUnit.MILLISECONDS);
  }

  private DescriptorSocketChannel connected(FileDescriptor accepted) {
    try {
      return new DescriptorSocketChannel(this, accepted);
    } catch (RuntimeException | Error e) {
      accepted.close();
      throw e;
    }
  }

  private void accept() {
    RecvByteBufAllocator.ExtendedHandle counts =
        (RecvByteBufAllocator.ExtendedHandle) unsafe().recvBufAllocHandle();
    counts.reset(config);
    counts.attemptedBytesRead(1);
    try {
      do {
        Optional<FileDescriptor> accepted = UnixSocket.accept(socket);
        if (accepted.isEmpty()) {
          counts.lastBytesRead(-1);
          break;
        }
        counts.lastBytesRead(1);
        counts.incMessagesRead(1);
        readPending = false;
        pipeline().fireChannelRead(connected(accepted.get()));
      } while (counts.continueReading() && isOpen());
      counts.readComplete();
      pipeline().fireChannelReadComplete();
    } catch (LinuxException | RuntimeException | Error e) {
      counts.readComplete();
      pipeline().fireChannelReadComplete();
      if (!isOpen()) {
        return; // whoever has the socket, too, has closed it meanwhile
      }
      pipeline().fireExceptionCaught(e);
      // Who waits stays ready: epoll would say so again at once, and for as long as it lasts.
      pause();
    }
    if (!readPending && !config.isAutoRead()) {
      interest.ignore(EpollInterest.IN);
    }
  }
}
