package dev.peerbar.server.session;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.socket.EventWatch;
import dev.peerbar.server.function.EventWatcher;
import io.netty.channel.Channel;
import java.io.IOException;

/** Watches on the event loop of a connection, which ends if what they tell fails. */
record LoopWatcher(Channel channel) implements EventWatcher {

  @Override
  public Watch watch(FileDescriptor readable, Runnable ready) throws LinuxException {
    EventWatch watch;
    try {
      watch = EventWatch.begin(channel.eventLoop(), readable, new Told(channel, ready));
    } catch (IOException e) {
      readable.close();
      // The one thing that a loop may run out of (epoll_ctl(2), max_user_watches).
      throw new LinuxException("epoll_ctl", Errno.ENOSPC);
    }
    return () -> {
      watch.close();
      readable.close();
    };
  }

  private record Told(Channel channel, Runnable ready) implements EventWatch.Listener {
    @Override
    public void readable() {
      ready.run();
    }

    @Override
    public void failed(Throwable cause) {
      channel.pipeline().fireExceptionCaught(cause);
    }
  }
}
