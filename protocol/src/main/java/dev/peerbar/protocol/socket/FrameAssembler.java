package dev.peerbar.protocol.socket;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SocketMessages;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Cuts a byte stream into {@link Frame}s, and gives each the file descriptors that came with it.
 * For one thread at a time.
 *
 * <p>Which frame descriptors belong to: a sender attaches them to the first byte of what it sends
 * at once, and the kernel ends a receive after those bytes, so that the descriptors of two sends
 * never come together. Bytes sent before, without descriptors, may come first in the same receive.
 * Hence descriptors belong to the last frame of the receive: the one that its last byte is a part
 * of.
 */
public final class FrameAssembler {
  /** The most bytes of a frame as long as nothing else was negotiated. */
  public static final int DEFAULT_MAX_FRAME_SIZE =
      (int) Capabilities.DEFAULTS.maxDataXferSize() + Frame.HEADER_ALLOWANCE;

  /** How much more than what has come is allocated, and how little is not worth the question. */
  private static final long AHEAD = 16;

  private static final long LEAST_PARTIAL = 4096;

  private final int maxDescriptors;
  private int maxFrameSize;
  private boolean lost;

  /** The bytes of a frame that has not come whole, or null. */
  private ByteBuf partial;

  /**
   * How many bytes {@link #partial} will have: those of the header as long as that is not there.
   */
  private int wanted;

  /** The descriptors that came with {@link #partial} so far. */
  private List<FileDescriptor> partialDescriptors = new ArrayList<>();

  private boolean partialTruncated;

  /** With the limits that need no negotiation. */
  public FrameAssembler() {
    this(DEFAULT_MAX_FRAME_SIZE, SocketMessages.MAX_DESCRIPTORS);
  }

  /**
   * With limits.
   *
   * @param maxFrameSize the most bytes of a frame with its header
   * @param maxDescriptors the most descriptors of a frame; those beyond are closed and the frame is
   *     marked {@link Descriptors#truncated}
   */
  public FrameAssembler(int maxFrameSize, int maxDescriptors) {
    this.maxFrameSize = maxFrameSize;
    this.maxDescriptors = maxDescriptors;
  }

  /** The most bytes of a frame with its header, from the next on. */
  public void setMaxFrameSize(int maxFrameSize) {
    this.maxFrameSize = maxFrameSize;
  }

  /**
   * Takes what one receive brought.
   *
   * @param bytes taken over
   * @param descriptors those that belong to a frame are taken; the caller closes the others
   * @param allocator for frames that come in pieces
   * @param frames gets each frame that is whole, to release
   * @throws FramingException if a size is less than a header's or more than allowed: no later byte
   *     is looked at any more
   */
  public void add(
      ByteBuf bytes, Descriptors descriptors, ByteBufAllocator allocator, Consumer<Frame> frames)
      throws FramingException {
    ByteBuf owned = bytes;
    try {
      while (!lost && bytes.isReadable()) {
        if (partial != null) {
          fillPartial(bytes, descriptors, frames);
        } else if (bytes.readableBytes() < Header.SIZE) {
          startPartial(bytes, Header.SIZE, allocator);
        } else {
          int size = checkedSize(bytes);
          if (bytes.readableBytes() < size) {
            startPartial(bytes, size, allocator);
          } else if (bytes.readableBytes() > size) {
            frames.accept(frame(bytes.readRetainedSlice(size), Descriptors.none()));
          } else {
            // The usual case: one receive, one message. The frame takes over the buffer.
            Frame whole = frame(bytes, limited(descriptors));
            owned = Unpooled.EMPTY_BUFFER;
            frames.accept(whole);
            break;
          }
        }
      }
      if (!lost && partial != null) {
        addToPartial(descriptors);
      }
    } finally {
      owned.release();
    }
  }

  /** Whether a frame has begun to come, or nothing will come any more. */
  boolean isBusy() {
    return partial != null || lost;
  }

  private int checkedSize(ByteBuf bytes) throws FramingException {
    Header header = Header.decode(bytes);
    long size = Integer.toUnsignedLong(header.size());
    if (size < Header.SIZE || size > maxFrameSize) {
      lost = true;
      discard();
      throw new FramingException(
          "%s of %d bytes, %d to %d are allowed"
              .formatted(
                  header.knownCommand().map(Command::name).orElse("command " + header.command()),
                  size,
                  Header.SIZE,
                  maxFrameSize));
    }
    return (int) size;
  }

  private void startPartial(ByteBuf bytes, int size, ByteBufAllocator allocator) {
    partial = allocator.directBuffer(capacity(size, bytes.readableBytes()));
    wanted = size;
    partial.writeBytes(bytes);
  }

  /** Room for a frame of which some bytes are there: a header alone may announce what it likes. */
  private static int capacity(int size, int there) {
    return (int) Math.min(size, Math.max(LEAST_PARTIAL, there * AHEAD));
  }

  private void fillPartial(ByteBuf bytes, Descriptors descriptors, Consumer<Frame> frames)
      throws FramingException {
    int length = Math.min(bytes.readableBytes(), wanted - partial.readableBytes());
    if (partial.writableBytes() < length) {
      partial.capacity(capacity(wanted, partial.readableBytes() + length));
    }
    partial.writeBytes(bytes, length);
    if (partial.readableBytes() == Header.SIZE && wanted == Header.SIZE) {
      wanted = checkedSize(partial);
    }
    if (partial.readableBytes() < wanted) {
      return;
    }
    if (!bytes.isReadable()) {
      addToPartial(descriptors);
    }
    Frame whole = frame(partial, Descriptors.of(partialDescriptors, partialTruncated));
    partial = null;
    partialDescriptors = new ArrayList<>();
    partialTruncated = false;
    frames.accept(whole);
  }

  private void addToPartial(Descriptors descriptors) {
    partialTruncated |= descriptors.truncated();
    for (FileDescriptor descriptor : descriptors.takeAll()) {
      // A hostile client can send many descriptors with each byte of one long frame.
      if (partialDescriptors.size() == maxDescriptors) {
        partialTruncated = true;
        descriptor.close();
      } else {
        partialDescriptors.add(descriptor);
      }
    }
  }

  private Descriptors limited(Descriptors descriptors) {
    if (descriptors.count() == 0 && !descriptors.truncated()) {
      return Descriptors.none();
    }
    List<FileDescriptor> all = descriptors.takeAll();
    boolean tooMany = all.size() > maxDescriptors;
    if (tooMany) {
      List<FileDescriptor> beyond = all.subList(maxDescriptors, all.size());
      beyond.forEach(FileDescriptor::close);
      beyond.clear();
    }
    return Descriptors.of(all, tooMany || descriptors.truncated());
  }

  /** A frame that owns the bytes, header and all, and the descriptors. */
  private static Frame frame(ByteBuf bytes, Descriptors descriptors) {
    Header header = Header.decode(bytes);
    bytes.skipBytes(Header.SIZE);
    return new Frame(header, bytes, descriptors);
  }

  /** Drops a frame that has not come whole, with its descriptors. */
  public void discard() {
    ReferenceCountUtil.release(partial);
    partial = null;
    partialDescriptors.forEach(FileDescriptor::close);
    partialDescriptors.clear();
    partialTruncated = false;
  }
}
