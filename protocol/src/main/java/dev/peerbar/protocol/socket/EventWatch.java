package dev.peerbar.protocol.socket;

import dev.peerbar.linux.FileDescriptor;
import io.netty.channel.EventLoop;
import java.io.IOException;

/**
 * A descriptor that is no channel, watched by an event loop that has an {@code EpollIoHandler}: an
 * event descriptor, or a set of them. On that loop only.
 */
public final class EventWatch implements AutoCloseable {

  /** Who wants to know. On the event loop. */
  public interface Listener {
    /** The descriptor can be read; told again and again as long as it can. */
    void readable();

    /** What {@link #readable} threw; the watch has ended. */
    void failed(Throwable cause);
  }

  private final Listener listener;
  private final EpollInterest interest;
  private boolean closed;

  private EventWatch(FileDescriptor descriptor, Listener listener) {
    this.listener = listener;
    this.interest = new EpollInterest(descriptor, new Readiness());
  }

  /**
   * Begins to watch.
   *
   * @param descriptor stays the caller's, to be closed after this
   * @throws IOException if the kernel watches no more for this user
   */
  public static EventWatch begin(EventLoop loop, FileDescriptor descriptor, Listener listener)
      throws IOException {
    EventWatch watch = new EventWatch(descriptor, listener);
    watch.interest.want(EpollInterest.IN);
    watch.interest.registerNow(loop);
    return watch;
  }

  private final class Readiness implements EpollInterest.Listener {
    @Override
    public void ready(int events) {
      tell();
    }

    @Override
    public void loopEnds() {
      close();
    }
  }

  private void tell() {
    if (closed) {
      return;
    }
    try {
      listener.readable();
    } catch (RuntimeException | Error e) {
      close();
      listener.failed(e);
    }
  }

  /** Nothing more is told, not even what was ready before. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      interest.cancel();
    }
  }
}
