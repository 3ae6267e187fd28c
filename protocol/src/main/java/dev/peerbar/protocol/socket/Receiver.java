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
import java.util.concurrent.locks.Condition;

/**
 * Receives from one socket on a thread of its own, which waits in the receive: a message costs one
 * recvmsg, and no epoll_wait before it. What comes is handled on this thread in its turn of the
 * event loop.
 */
final class Receiver implements Runnable {
  private static final Duration LONG = Duration.ofDays(1);

  /** How much of a message must be missing to be received by itself, in bytes. */
  private static final int WORTH_A_RECEIVE = 4096;

  /** Whose socket it is. All calls are made in the receiver's turn. */
  interface Owner {
    boolean isOpen();

    /** Takes what one receive brought: bytes, taken over, or {@link DescriptorBytes}. */
    void received(Object bytes);

    /**
     * Where to receive to in place of a buffer of the receiver's own, from the writer index on.
     *
     * @param least what must fit, in bytes
     * @return stays the owner's; null if there is no such place
     */
    ByteBuf room(int least);

    /**
     * Takes what one receive brought to the {@link #room}, which nobody has changed since.
     *
     * @param descriptors taken over
     */
    void filled(int length, Descriptors descriptors);

    /** Nothing more will come; this is over. */
    void ended();

    /** Receiving failed; this is over. */
    void failed(LinuxException cause);
  }

  private final FileDescriptor socket;
  private final SocketEventLoop loop;
  private final Owner owner;
  private final AdaptiveSpin spin;
  private final Condition change;
  private final ReceiveBuffer buffers;
  // The channel's own is for sending, which others do while this waits.
  private final SocketMessages messages = new SocketMessages();
  private boolean wanted;
  private LinuxException failure;

  /**
   * @param spinNanos how long to look for the next message before sleeping, at most
   */
  Receiver(
      FileDescriptor socket,
      SocketEventLoop loop,
      Owner owner,
      ByteBufAllocator allocator,
      long spinNanos) {
    this.socket = socket;
    this.loop = loop;
    this.owner = owner;
    this.spin = new AdaptiveSpin(spinNanos);
    this.change = loop.condition();
    this.buffers = new ReceiveBuffer(allocator);
  }

  /** Whether to hand over what comes. For whoever has the turn. */
  void want(boolean on) {
    if (wanted != on) {
      wanted = on;
      change.signal();
    }
  }

  /** Whether what comes is handed over. For whoever has the turn. */
  boolean wanted() {
    return wanted;
  }

  /** The socket is being closed, which has ended a receive. For whoever has the turn. */
  void close() {
    change.signal();
  }

  @Override
  public void run() {
    loop.enter();
    try {
      while (awaitWanted()) {
        ByteBuf room = owner.room(WORTH_A_RECEIVE);
        ByteBuf bytes = (room == null ? buffers.take() : room).retain();
        boolean goOn;
        try {
          loop.leave();
          int result = receive(bytes, room != null);
          loop.enter();
          goOn = handOver(bytes, result, room != null);
        } finally {
          bytes.release();
        }
        if (!goOn) {
          return;
        }
      }
    } finally {
      buffers.release();
      messages.takeDescriptors().forEach(FileDescriptor::close);
      loop.leave();
    }
  }

  /** Returns false if the channel is closed. */
  private boolean awaitWanted() {
    while (!wanted && owner.isOpen()) {
      loop.await(change);
    }
    return owner.isOpen();
  }

  /**
   * Outside the turn. What came is not looked at here.
   *
   * @param all whether there is nothing to do before all of it is there
   */
  private int receive(ByteBuf bytes, boolean all) {
    int room = bytes.writableBytes();
    long address = Outbound.address(bytes, bytes.writerIndex(), room);
    failure = null;
    try {
      if (all) {
        int result = messages.receiveAll(socket, address, room);
        return result == SocketMessages.WOULD_BLOCK ? sleep(address, room) : result;
      }
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
  private boolean handOver(ByteBuf bytes, int result, boolean filled) {
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
    Descriptors descriptors = Descriptors.of(messages.takeDescriptors(), messages.truncated());
    if (filled) {
      owner.filled(result, descriptors);
      return true;
    }
    buffers.received(result);
    bytes.writerIndex(result);
    bytes.retain();
    owner.received(
        descriptors == Descriptors.none() ? bytes : new DescriptorBytes(bytes, descriptors));
    return true;
  }
}
