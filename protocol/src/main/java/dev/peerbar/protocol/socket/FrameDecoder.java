package dev.peerbar.protocol.socket;

import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Makes {@link Frame}s of what a {@link DescriptorSocketChannel} reads.
 *
 * <p>One receive can bring thousands of requests. When a handler turns auto-read off amid them the
 * rest waits here until something is read again.
 *
 * <p>When framing is lost a {@link FramingException} is fired, the channel is closed, and nothing
 * more is decoded. A frame that has not come whole when the channel closes is dropped, with its
 * descriptors.
 */
public final class FrameDecoder extends ChannelDuplexHandler {
  private final FrameAssembler assembler;
  private final Deque<Frame> held = new ArrayDeque<>();
  private final ByteBuf reply =
      Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(InPlaceHandler.MOST_REPLY));
  private ChannelHandlerContext context;
  private InPlaceHandler inPlace;
  private boolean releasing;

  /** With the limits that need no negotiation. */
  public FrameDecoder() {
    this(new FrameAssembler());
  }

  /** With the limits of an assembler that nobody else uses. */
  public FrameDecoder(FrameAssembler assembler) {
    this.assembler = assembler;
  }

  /** The most bytes of a frame with its header, from the next on. For the event loop. */
  public void setMaxFrameSize(int maxFrameSize) {
    assembler.setMaxFrameSize(maxFrameSize);
  }

  /** Asks a handler first, from the next message on. For the event loop. */
  public void handleInPlace(InPlaceHandler handler) {
    inPlace = handler;
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    switch (message) {
      case ByteBuf bytes -> {
        if (!handleInPlace(bytes)) {
          decode(ctx, bytes, Descriptors.none());
        }
      }
      case DescriptorBytes both -> {
        try {
          decode(ctx, both.bytes().retain(), both.descriptors());
        } finally {
          both.release();
        }
      }
      default -> ctx.fireChannelRead(message);
    }
  }

  /**
   * Lets the handler answer messages where they were received, as long as the next one is whole, no
   * other waits before it, and the handler takes it. For the event loop.
   *
   * @param bytes that came without descriptors
   * @return whether that was all, and the bytes are released; else there is more, for the pipeline
   */
  boolean handleInPlace(ByteBuf bytes) {
    if (inPlace == null) {
      return false;
    }
    try {
      while (bytes.readableBytes() >= Header.SIZE && held.isEmpty() && !assembler.isBusy()) {
        long size = Header.size(bytes);
        if (size < Header.SIZE || size > bytes.readableBytes() || !isReading(context)) {
          break;
        }
        int next = bytes.readerIndex() + (int) size;
        reply.clear();
        if (!inPlace.handle(bytes, (int) size, reply)) {
          break;
        }
        bytes.readerIndex(next);
        if (reply.isReadable()) {
          sendReply();
        }
      }
    } catch (RuntimeException | Error | IOException e) {
      bytes.release();
      context.fireExceptionCaught(e);
      return true;
    }
    if (bytes.isReadable()) {
      return false;
    }
    bytes.release();
    return true;
  }

  private void sendReply() throws IOException {
    if (!(context.channel() instanceof DescriptorSocketChannel channel)
        || !channel.sendAtOnce(reply)) {
      context.writeAndFlush(reply.copy(), context.voidPromise());
    }
  }

  private void decode(ChannelHandlerContext ctx, ByteBuf bytes, Descriptors descriptors) {
    boolean stoppable = isReading(ctx);
    try {
      assembler.add(
          bytes,
          descriptors,
          ctx.alloc(),
          frame -> {
            if (!held.isEmpty() || stoppable && !isReading(ctx)) {
              held.add(frame);
            } else {
              ctx.fireChannelRead(frame);
            }
          });
    } catch (FramingException e) {
      ctx.fireExceptionCaught(e);
      ctx.close();
    }
  }

  private static boolean isReading(ChannelHandlerContext ctx) {
    return ctx.channel().config().isAutoRead();
  }

  @Override
  public void read(ChannelHandlerContext ctx) {
    if (held.isEmpty()) {
      ctx.read();
    } else if (!releasing) {
      // Not from inside whatever turned reading on, which may be the sending of a reply.
      releasing = true;
      ctx.executor().execute(() -> releaseHeld(ctx));
    }
  }

  private void releaseHeld(ChannelHandlerContext ctx) {
    releasing = false;
    while (!held.isEmpty() && isReading(ctx)) {
      ctx.fireChannelRead(held.remove());
    }
    ctx.fireChannelReadComplete();
    if (held.isEmpty() && isReading(ctx)) {
      ctx.read();
    }
  }

  private void discard() {
    assembler.discard();
    held.forEach(Frame::release);
    held.clear();
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    discard();
    ctx.fireChannelInactive();
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    discard();
  }
}
