package dev.peerbar.protocol;

import dev.peerbar.linux.Errno;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.util.AbstractReferenceCounted;

/**
 * A message on its way in or out: a header, the payload still in its bytes, and file descriptors.
 *
 * <p>Counted: the last {@link #release} frees the payload and closes the descriptors that nobody
 * took. Writing a frame to a channel passes one count to the channel. Slices of the payload, as
 * decoded messages keep them, live as long as the frame.
 */
public final class Frame extends AbstractReferenceCounted {
  /**
   * What a message may have beside its data: the widest fixed part, and room for the lists (IRQ
   * flags, ranges, JSON) of messages that carry no data. In bytes.
   */
  public static final int HEADER_ALLOWANCE = 4096;

  private final Header header;
  private final ByteBuf payload;
  private final Descriptors descriptors;

  /**
   * Takes over the payload and the descriptors.
   *
   * @throws IllegalArgumentException if the header's size is not that of header and payload
   */
  public Frame(Header header, ByteBuf payload, Descriptors descriptors) {
    if (header.size() != Header.SIZE + payload.readableBytes()) {
      throw new IllegalArgumentException(
          "size " + header.size() + " with a payload of " + payload.readableBytes());
    }
    this.header = header;
    this.payload = payload;
    this.descriptors = descriptors;
  }

  /** A request. Takes over the descriptors. */
  public static Frame request(
      int id,
      Command command,
      boolean noReply,
      Payload payload,
      Descriptors descriptors,
      ByteBufAllocator allocator) {
    ByteBuf bytes = encode(payload, allocator);
    Header header = Header.request(id, command, bytes.readableBytes(), noReply);
    return new Frame(header, bytes, descriptors);
  }

  /** A reply. */
  public static Frame reply(Header request, Payload payload, ByteBufAllocator allocator) {
    return reply(request, payload, Descriptors.none(), allocator);
  }

  /** A reply. Takes over the payload, encoded already, and the descriptors. */
  public static Frame reply(Header request, ByteBuf payload, Descriptors descriptors) {
    return new Frame(request.reply(payload.readableBytes()), payload, descriptors);
  }

  /** A reply with descriptors, which it takes over whatever happens. */
  public static Frame reply(
      Header request, Payload payload, Descriptors descriptors, ByteBufAllocator allocator) {
    try {
      return reply(request, encode(payload, allocator), descriptors);
    } catch (RuntimeException | Error e) {
      descriptors.close();
      throw e;
    }
  }

  /**
   * Writes a payload that is not encoded from a record: one with much data, for which the device
   * itself is asked.
   */
  @FunctionalInterface
  public interface Writer<E extends Exception> {
    /**
     * @param payload empty, with room for all of it; the writer index tells how much there is
     */
    void write(ByteBuf payload) throws E;
  }

  /**
   * A reply whose payload is written into a direct buffer; what throws leaves none behind.
   *
   * @param most bytes of the payload
   */
  public static <E extends Exception> Frame reply(
      Header request, int most, ByteBufAllocator allocator, Writer<E> writer) throws E {
    ByteBuf payload = allocator.directBuffer(most, most);
    Frame reply = null;
    try {
      writer.write(payload);
      reply = reply(request, payload, Descriptors.none());
      return reply;
    } finally {
      if (reply == null) {
        payload.release();
      }
    }
  }

  /** A reply without a payload. */
  public static Frame reply(Header request) {
    return new Frame(request.reply(0), Unpooled.EMPTY_BUFFER, Descriptors.none());
  }

  /** A reply that says why a request failed: only a header, as the specification wants. */
  public static Frame failure(Header request, Errno reason) {
    return new Frame(request.failure(reason), Unpooled.EMPTY_BUFFER, Descriptors.none());
  }

  /** A payload in bytes, in a direct buffer that fits it. */
  public static ByteBuf encode(Payload payload, ByteBufAllocator allocator) {
    int size = payload.encodedSize();
    ByteBuf bytes = allocator.directBuffer(size, size);
    try {
      payload.encode(bytes);
      return bytes;
    } catch (RuntimeException | Error e) {
      bytes.release();
      throw e;
    }
  }

  public Header header() {
    return header;
  }

  /** The payload, owned by this frame. */
  public ByteBuf payload() {
    return payload;
  }

  /** The file descriptors, owned by this frame until taken. */
  public Descriptors descriptors() {
    return descriptors;
  }

  @Override
  protected void deallocate() {
    descriptors.close();
    payload.release();
  }

  @Override
  public Frame retain() {
    super.retain();
    return this;
  }

  @Override
  public Frame touch(Object hint) {
    payload.touch(hint);
    return this;
  }

  @Override
  public String toString() {
    return "Frame[" + header + ", " + descriptors + "]";
  }
}
