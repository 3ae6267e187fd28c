package dev.peerbar.server;

import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket.Credentials;
import dev.peerbar.protocol.socket.DescriptorSocketChannel;
import dev.peerbar.server.function.ServedFunction;
import dev.peerbar.server.session.ClientSlot;
import dev.peerbar.server.session.Session;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadFactory;

/**
 * The connections of one function. The first to agree on a version is the client until it goes; a
 * connection that says nothing keeps nobody out. For the function's thread.
 */
final class Connections {
  /** Connections at a time, the client's included. More are hung up on: each takes a descriptor. */
  static final int MOST = 64;

  private final ServedFunction function;
  private final ServerOptions options;
  private final ThreadFactory receivers;
  private final Set<DescriptorSocketChannel> open = new LinkedHashSet<>();
  private final List<Runnable> waiting = new ArrayList<>();
  private Optional<DescriptorSocketChannel> client = Optional.empty();

  Connections(ServedFunction function, ServerOptions options) {
    this.function = function;
    this.options = options;
    this.receivers = new DefaultThreadFactory(function.name() + "-client", true);
  }

  /**
   * Takes in a connection.
   *
   * @param functionThread the event loop to register it with
   */
  void accept(DescriptorSocketChannel channel, EventLoopGroup functionThread) {
    // Not to be read before it has its handlers.
    channel.config().setAutoRead(false);
    functionThread.register(channel).addListener(_ -> admit(channel));
  }

  /** No connection can be accepted. It is tried again, and again. */
  void noneAccepted(Throwable cause) {
    function
        .log()
        .warn("no connection is accepted until what it takes can be had: %s", cause.getMessage());
  }

  private void admit(DescriptorSocketChannel channel) {
    if (!channel.isOpen()) {
      return;
    }
    if (!mayConnect(channel)) {
      channel.close();
      return;
    }
    open.add(channel);
    channel.closeFuture().addListener(_ -> open.remove(channel));
    channel.pipeline().addLast(Session.decoder(channel), new Session(function, new Slot(channel)));
    channel.config().setAutoRead(true);
  }

  private boolean mayConnect(DescriptorSocketChannel channel) {
    Credentials peer;
    try {
      peer = channel.peerCredentials();
    } catch (LinuxException e) {
      function.log().refused("connection refused", e.errno().name(), e.getMessage());
      return false;
    }
    if (!options.allowed().allows(peer)) {
      function
          .log()
          .warn(
              "hanging up on process %d of user %s, who is not allowed",
              peer.pid(), Integer.toUnsignedString(peer.uid()));
      return false;
    }
    if (open.size() >= MOST) {
      function
          .log()
          .warn("hanging up on process %d: %d connections are open", peer.pid(), open.size());
      return false;
    }
    return true;
  }

  /**
   * Answers what has been asked by now, and nothing after it. A client that is left waiting for an
   * answer may wait long, and QEMU does so under the lock that everything else in it needs.
   *
   * @return the connections; each closes as soon as its client takes the answers
   */
  List<DescriptorSocketChannel> finish() {
    for (DescriptorSocketChannel channel : open) {
      try {
        channel.endInput();
      } catch (LinuxException _) {
        // It has gone already.
      }
    }
    return List.copyOf(open);
  }

  /** Ends every connection. */
  void close() {
    List.copyOf(open).forEach(Channel::close);
  }

  /** The client's slot, as one connection sees it. */
  private final class Slot implements ClientSlot {
    private final DescriptorSocketChannel channel;

    Slot(DescriptorSocketChannel channel) {
      this.channel = channel;
    }

    @Override
    public boolean isBeingLeft() {
      return client.isPresent() && client.get().peerHasGone();
    }

    @Override
    public void whenFree(Runnable action) {
      waiting.add(action);
    }

    @Override
    public boolean take() {
      if (client.isPresent()) {
        return false;
      }
      client = Optional.of(channel);
      if (options.polling().isPresent()) {
        // The loop's own thread looks at it, too, and lets no other one have the loop's lock.
        return true;
      }
      try {
        channel.receiveOnThread(receivers, options.busyPoll());
      } catch (LinuxException e) {
        // It has gone already.
        function.log().info("%s", e.getMessage());
      } catch (RuntimeException | Error e) {
        client = Optional.empty();
        throw e;
      }
      return true;
    }

    @Override
    public void leave() {
      client = Optional.empty();
      List<Runnable> next = List.copyOf(waiting);
      waiting.clear();
      next.forEach(Runnable::run);
    }
  }
}
