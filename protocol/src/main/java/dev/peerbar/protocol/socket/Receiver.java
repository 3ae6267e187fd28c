package dev.peerbar.protocol.socket;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Descriptors;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.Condition;

/**
 * Receives from one socket on a thread of its own, which waits in the receive: a message costs one
 * recvmsg, and no epoll_wait before it. What comes is handled on this thread with the lock of the
 * event loop.
 */
final class Receiver implements Runnable {
  private static final Duration LONG = Duration.ofDays(1);

  /** Whose socket it is. All calls are made with the loop's lock. */
  interface Owner {
    boolean isOpen();

    /** Takes what one receive brought: bytes, taken over, or {@link DescriptorBytes}. */
    void received(Object bytes);

    /** Nothing more will come; this is over. */
    void ended();

    /** Receiving failed, or this died of what it did; this is over. */
    void failed(Throwable cause);
  }

  private final FileDescriptor socket;
  private final SocketEventLoop loop;
  private final Owner owner;
  private final AdaptiveSpin spin;
  private final Condition change;
  private final ReceiveBuffer buffers;
  private final SocketMessages messages;
  private boolean wanted;
  private LinuxException failure;

  /**
   * @param messages nobody else's: the channel's own is for sending, which others do while this
   *     waits
   * @param spinNanos how long to look for the next message before sleeping, at most
   */
  Receiver(
      FileDescriptor socket,
      SocketMessages messages,
      SocketEventLoop loop,
      Owner owner,
      ByteBufAllocator allocator,
      long spinNanos) {
    this.socket = socket;
    this.messages = messages;
    this.loop = loop;
    this.owner = owner;
    this.spin = new AdaptiveSpin(spinNanos);
    this.change = loop.condition();
    this.buffers = new ReceiveBuffer(allocator);
  }

  /** Whether to hand over what comes. For whoever has the loop's lock. */
  void want(boolean on) {
    if (wanted != on) {
      wanted = on;
      change.signal();
    }
  }

  /** Whether what comes is handed over. For whoever has the loop's lock. */
  boolean wanted() {
    return wanted;
  }

  /** The socket is being closed, which has ended a receive. For whoever has the loop's lock. */
  void close() {
    change.signal();
  }

  @Override
  public void run() {
    loop.enter();
    try {
      receiveAll();
    } catch (RuntimeException | Error e) {
      // Nobody else receives: without this thread the connection would be open and dead.
      owner.failed(e);
    } finally {
      buffers.release();
      messages.takeDescriptors().forEach(FileDescriptor::close);
      loop.leave();
    }
  }

  /** Begins and ends with the loop's lock, whatever happens. */
  private void receiveAll() {
    while (awaitWanted()) {
      ByteBuf bytes = buffers.take();
      int result;
      loop.leave();
      try {
        result = receive(bytes);
      } finally {
        loop.enter();
      }
      if (!handOver(bytes, result)) {
        return;
      }
    }
  }

  /** Returns false if the channel is closed. */
  private boolean awaitWanted() {
    while (!wanted && owner.isOpen()) {
      loop.await(change);
    }
    return owner.isOpen();
  }

  /** Without the loop's lock. What came is not looked at here. */
  private int receive(ByteBuf bytes) {
    int room = bytes.writableBytes();
    long address = Outbound.address(bytes, 0, room);
    failure = null;
    try {
      return spin.isWorthwhile() ? lookThenSleep(address, room) : sleep(address, room);
    } catch (LinuxException e) {
      if (e.errno() != Errno.ECONNRESET) {
        failure = e;
      }
      // It left without reading all that we sent: an end like another.
      return SocketMessages.END_OF_STREAM;
    }
  }

  private int lookThenSleep(long address, int room) throws LinuxException {
    long begin = System.nanoTime();
    while (System.nanoTime() - begin < spin.nanos()) {
      int result = messages.receive(socket, address, room);
      if (result != SocketMessages.WOULD_BLOCK) {
        return result;
      }
      Thread.onSpinWait();
    }
    int result = sleep(address, room);
    spin.slept(System.nanoTime() - begin);
    return result;
  }

  private int sleep(long address, int room) throws LinuxException {
    int result = messages.receiveWaiting(socket, address, room);
    while (result == SocketMessages.WOULD_BLOCK) {
      // A signal, or whoever shares the open file does not want it to wait.
      UnixSocket.awaitReadable(socket, LONG);
      result = messages.receiveWaiting(socket, address, room);
    }
    return result;
  }

  /** Returns false if that was all. */
  private boolean handOver(ByteBuf bytes, int result) {
    if (!awaitWanted()) {
      return false;
    }
    if (failure != null) {
      owner.failed(failure);
      return false;
    }
    if (result == SocketMessages.END_OF_STREAM) {
      owner.ended();
      return false;
    }
    buffers.received(result);
    bytes.writerIndex(result);
    bytes.retain();
    List<FileDescriptor> descriptors = messages.takeDescriptors();
    owner.received(
        descriptors.isEmpty() && !messages.truncated()
            ? bytes
            : new DescriptorBytes(bytes, Descriptors.of(descriptors, messages.truncated())));
    return true;
  }
}
