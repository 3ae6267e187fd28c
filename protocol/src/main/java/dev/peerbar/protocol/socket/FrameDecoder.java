package dev.peerbar.protocol.socket;

import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.Frame;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;

/**
 * Makes {@link Frame}s of what a {@link DescriptorSocketChannel} reads.
 *
 * <p>When framing is lost a {@link FramingException} is fired, the channel is closed, and nothing
 * more is decoded. A frame that has not come whole when the channel closes is dropped, with its
 * descriptors.
 */
public final class FrameDecoder extends ChannelInboundHandlerAdapter {
  private final FrameAssembler assembler;

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

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    switch (message) {
      case ByteBuf bytes -> decode(ctx, bytes, Descriptors.none());
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

  private void decode(ChannelHandlerContext ctx, ByteBuf bytes, Descriptors descriptors) {
    try {
      assembler.add(bytes, descriptors, ctx.alloc(), ctx::fireChannelRead);
    } catch (FramingException e) {
      ctx.fireExceptionCaught(e);
      ctx.close();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    assembler.discard();
    ctx.fireChannelInactive();
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    assembler.discard();
  }
}
