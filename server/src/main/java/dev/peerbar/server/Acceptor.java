package dev.peerbar.server;

import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;

/**
 * Takes the connections of a listening socket. When none can be had, which a process that is out of
 * descriptors tries ten times a second, it says so once.
 */
final class Acceptor extends ChannelInboundHandlerAdapter {
  private final Connections connections;
  private final EventLoopGroup functionThread;
  private boolean failing;

  Acceptor(Connections connections, EventLoopGroup functionThread) {
    this.connections = connections;
    this.functionThread = functionThread;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object accepted) {
    failing = false;
    connections.accept((DescriptorSocketChannel) accepted, functionThread);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (!failing) {
      failing = true;
      connections.noneAccepted(cause);
    }
  }
}
