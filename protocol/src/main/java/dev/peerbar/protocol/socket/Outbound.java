package dev.peerbar.protocol.socket;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Sends one message after the other, each in as many pieces as the socket wants. For the event
 * loop.
 *
 * <p>A message has a send of its own. A client that takes the header of a message for what its
 * first receive brings, as QEMU does, would lose framing if a header that begins in one send ended
 * in the next.
 */
final class Outbound {
  private final SocketMessages messages;
  private final ByteBuf header = Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(Header.SIZE));

  /** How many bytes of the current message are sent, if it is not a {@link LentMessage}. */
  private long sent;

  /** Present if a {@link LentMessage} begins only when the socket takes it whole. */
  private Optional<SendBuffer> whole = Optional.empty();

  Outbound(SocketMessages messages) {
    this.messages = messages;
  }

  /**
   * Sends what is left of a message, or a part of that.
   *
   * @return whether the message is done; if not, the socket takes no more now
   */
  boolean send(FileDescriptor socket, Object message) throws IOException {
    if (message instanceof LentMessage lent) {
      return send(socket, lent);
    }
    long length =
        switch (message) {
          case Frame frame -> gather(frame);
          case DescriptorBytes both -> gather(both.bytes(), both.descriptors());
          case ByteBuf bytes -> gather(bytes, Descriptors.none());
          default -> throw new IllegalStateException(message.getClass().getName());
        };
    if (length == 0) {
      return true;
    }
    long result = messages.send(socket);
    if (result == SocketMessages.WOULD_BLOCK) {
      return false;
    }
    sent += result;
    boolean done = sent == length;
    if (done) {
      sent = 0;
    }
    return done;
  }

  private boolean send(FileDescriptor socket, LentMessage message) throws IOException {
    if (!message.hasBegun()) {
      if (whole.isPresent() && !whole.get().takes(socket, messages, message.size())) {
        return false;
      }
      if (!message.mayBegin()) {
        return true;
      }
    }
    return message.send(socket, messages);
  }

  /** From now on a {@link LentMessage} begins only when the socket takes it whole. */
  void beginWhole(SendBuffer buffer) {
    whole = Optional.of(buffer);
  }

  /**
   * Sends a message that is not begun yet, while no other is.
   *
   * @return false if the socket takes nothing now
   * @throws IOException also if it takes a part, as it does with no message that fits a page
   */
  boolean sendAtOnce(FileDescriptor socket, ByteBuf message) throws IOException {
    int length = message.readableBytes();
    add(message, message.readerIndex(), length);
    long result = messages.send(socket);
    if (result == SocketMessages.WOULD_BLOCK) {
      return false;
    }
    if (result != length) {
      throw new IOException("sent %d of %d bytes".formatted(result, length));
    }
    return true;
  }

  private long gather(Frame frame) {
    if (sent < Header.SIZE) {
      header.clear();
      frame.header().encode(header);
      add(header, (int) sent, Header.SIZE - (int) sent);
      if (sent == 0) {
        addDescriptors(frame.descriptors());
      }
    }
    addRest(frame.payload(), (int) Math.max(0, sent - Header.SIZE));
    return frame.header().size();
  }

  private long gather(ByteBuf bytes, Descriptors descriptors) {
    if (sent == 0 && bytes.isReadable()) {
      addDescriptors(descriptors);
    }
    addRest(bytes, (int) sent);
    return bytes.readableBytes();
  }

  private void addDescriptors(Descriptors descriptors) {
    for (int i = 0; i < descriptors.count(); i++) {
      descriptors.get(i).ifPresent(messages::addDescriptor);
    }
  }

  /** Adds the bytes from an index, counted from the reader index, on. */
  private void addRest(ByteBuf bytes, int from) {
    int length = bytes.readableBytes() - from;
    if (length == 0) {
      return;
    }
    int start = bytes.readerIndex() + from;
    if (bytes.nioBufferCount() == 1) {
      add(bytes, start, length);
      return;
    }
    for (ByteBuffer piece : bytes.nioBuffers(start, length)) {
      if (piece.hasRemaining()
          && !messages.addBytes(MemorySegment.ofBuffer(piece).address(), piece.remaining())) {
        // No place: what is left goes with the next send.
        return;
      }
    }
  }

  private void add(ByteBuf bytes, int index, int length) {
    messages.addBytes(address(bytes, index, length), length);
  }

  /** Where a range of a direct buffer of one piece is. */
  static long address(ByteBuf bytes, int index, int length) {
    return bytes.hasMemoryAddress()
        ? bytes.memoryAddress() + index
        : MemorySegment.ofBuffer(bytes.internalNioBuffer(index, length)).address();
  }
}
