package dev.peerbar.bench.rig;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.Header;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A client that answers DMA_READ and DMA_WRITE from memory, and does as little as that takes: what
 * comes together is received together, and read data are sent from where they are. Other messages
 * are dropped. Its thread has the connection's receiving end to itself.
 */
public final class MemoryResponder implements AutoCloseable {
  private static final int ROOM = 4 << 20;
  private static final int REPLY = 1;

  // A header, and what a request for memory has in common (vfio-user, Header and DMA_READ).
  private static final long COMMAND = 2;
  private static final long SIZE = 4;
  private static final long FLAGS = 8;
  private static final long ADDRESS = Header.SIZE;
  private static final long COUNT = Header.SIZE + 8;
  private static final int FIXED = Header.SIZE + DmaRead.DATA;

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final FileDescriptor socket;
  private final long base;
  private final MemorySegment memory;
  private final SocketMessages messages = new SocketMessages();
  private final MemorySegment received = Arena.ofAuto().allocate(ROOM, Long.BYTES);
  private final MemorySegment reply = Arena.ofAuto().allocate(FIXED, Long.BYTES);
  private final Thread thread;

  private MemoryResponder(FileDescriptor socket, long base, MemorySegment memory) {
    this.socket = socket;
    this.base = base;
    this.memory = memory;
    this.thread = Thread.ofPlatform().daemon().name("memory-responder").unstarted(this::respond);
  }

  /**
   * Begins to answer.
   *
   * @param messenger whose connection it is; nobody else receives from it any more
   * @param base the IOVA of the memory's first byte
   * @param memory native, at least as long as what is asked for
   */
  public static MemoryResponder start(Messenger messenger, long base, MemorySegment memory) {
    MemoryResponder responder = new MemoryResponder(messenger.socket(), base, memory);
    responder.thread.start();
    return responder;
  }

  private void respond() {
    try {
      long have = 0;
      while (true) {
        int got =
            messages.receiveWaiting(
                socket, received.address() + have, Math.toIntExact(ROOM - have));
        if (got <= 0) {
          return;
        }
        have += got;
        long taken = answerAll(have);
        MemorySegment.copy(received, taken, received, 0, have - taken);
        have -= taken;
      }
    } catch (LinuxException _) {
      // The benchmark is over.
    }
  }

  /** Answers what has come whole, and returns its length. */
  private long answerAll(long have) throws LinuxException {
    long at = 0;
    while (have - at >= Header.SIZE) {
      long size = Integer.toUnsignedLong(received.get(INT, at + SIZE));
      if (have - at < size) {
        break;
      }
      answer(at);
      at += size;
    }
    return at;
  }

  private void answer(long at) throws LinuxException {
    int command = Short.toUnsignedInt(received.get(SHORT, at + COMMAND));
    if ((received.get(INT, at + FLAGS) & REPLY) != 0) {
      return;
    }
    if (command == Command.DMA_READ.code()) {
      MemorySegment.copy(received, at, reply, 0, FIXED);
      long count = received.get(LONG, at + COUNT);
      send(FIXED, memory.address() + received.get(LONG, at + ADDRESS) - base, count);
    } else if (command == Command.DMA_WRITE.code()) {
      MemorySegment.copy(received, at, reply, 0, FIXED);
      long count = received.get(LONG, at + COUNT);
      long offset = received.get(LONG, at + ADDRESS) - base;
      MemorySegment.copy(received, at + FIXED, memory, offset, count);
      send(Header.SIZE + DmaWrite.DATA, 0, 0);
    }
  }

  private void send(int fixed, long data, long count) throws LinuxException {
    reply.set(INT, SIZE, Math.toIntExact(fixed + count));
    reply.set(INT, FLAGS, REPLY);
    for (long sent = 0; sent < fixed + count; ) {
      if (sent < fixed) {
        messages.addBytes(reply.address() + sent, (int) (fixed - sent));
      }
      long dataSent = Math.max(0, sent - fixed);
      if (dataSent < count) {
        messages.addBytes(data + dataSent, (int) (count - dataSent));
      }
      sent += messages.sendWaiting(socket);
    }
  }

  /** Ends the connection and the thread. */
  @Override
  public void close() throws LinuxException {
    UnixSocket.shutdown(socket, UnixSocket.Direction.BOTH);
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
