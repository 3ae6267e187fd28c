package dev.peerbar.protocol.socket;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SocketMessages;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.AbstractReferenceCounted;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A message to be sent whose data stay where they are until the socket takes them: in memory that
 * is lent for as long, and can be taken back at any time. On the event loop.
 *
 * <p>Counted: the last release lets go of the memory.
 */
public final class LentMessage extends AbstractReferenceCounted {
  private static final Logger LOG = LoggerFactory.getLogger(LentMessage.class);

  private final ByteBuf head;
  private final int size;
  private final BooleanSupplier mayBegin;
  // Null once it is taken back.
  private MemorySegment data;
  // What was left of the data when they were taken back amid the sending; null is none.
  private ByteBuf copy;
  private int sent;

  /**
   * @param head direct; the header of the message and what comes before the data, taken over
   * @param data native memory, which stays the caller's; may be empty
   * @param mayBegin asked before the first byte is sent, again if the socket did not take it; a
   *     message that may not is dropped, as if it had been sent
   */
  public LentMessage(ByteBuf head, MemorySegment data, BooleanSupplier mayBegin) {
    this.head = head;
    this.data = data;
    this.size = head.readableBytes() + Math.toIntExact(data.byteSize());
    this.mayBegin = mayBegin;
  }

  /** The header and what comes before the data, owned by this. */
  public ByteBuf head() {
    return head;
  }

  /** All of it, in bytes. */
  int size() {
    return size;
  }

  /** Whether a part of it is sent, or all. */
  public boolean hasBegun() {
    return sent > 0;
  }

  /** Whether nothing of it is left to be sent. */
  boolean isSent() {
    return sent == size;
  }

  /** Whether it may be begun now. */
  boolean mayBegin() {
    return data != null && mayBegin.getAsBoolean();
  }

  /**
   * Lets go of the memory: when this returns it is not read any more. A message that has not begun
   * never will; what is left of one that has is sent from a copy.
   */
  public void takeBack(ByteBufAllocator allocator) {
    MemorySegment lent = data;
    data = null;
    if (lent == null || !hasBegun() || isSent()) {
      return;
    }
    int from = dataSent();
    int length = (int) lent.byteSize() - from;
    try {
      copy = allocator.directBuffer(length, length);
      copy.writeBytes(lent.asSlice(from, length).asByteBuffer());
    } catch (OutOfMemoryError e) {
      LOG.warn("no memory to finish a message from", e);
    }
  }

  private int dataSent() {
    return Math.max(0, sent - head.readableBytes());
  }

  /**
   * Sends what is left, or a part of that.
   *
   * @return whether the message is done; if not, the socket takes no more now
   * @throws IOException if it cannot be sent
   */
  boolean send(FileDescriptor socket, SocketMessages messages) throws IOException {
    int length = size - head.readableBytes() - dataSent();
    long rest = length > 0 ? restAddress(length) : 0;
    if (sent < head.readableBytes()) {
      int left = head.readableBytes() - sent;
      messages.addBytes(Outbound.address(head, head.readerIndex() + sent, left), left);
    }
    if (length > 0) {
      messages.addBytes(rest, length);
    }
    long result = messages.send(socket);
    Reference.reachabilityFence(data);
    if (result == SocketMessages.WOULD_BLOCK) {
      return false;
    }
    sent += (int) result;
    return isSent();
  }

  private long restAddress(int length) throws IOException {
    if (data != null) {
      return data.address() + dataSent();
    }
    if (copy == null) {
      // There was no memory for a copy. Whoever receives would take the next message for the data.
      throw new IOException("the rest of a message is lost");
    }
    return Outbound.address(copy, copy.writerIndex() - length, length);
  }

  @Override
  protected void deallocate() {
    data = null;
    head.release();
    if (copy != null) {
      copy.release();
    }
  }

  @Override
  public LentMessage touch(Object hint) {
    head.touch(hint);
    return this;
  }
}
