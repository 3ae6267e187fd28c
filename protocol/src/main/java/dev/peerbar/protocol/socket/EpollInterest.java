package dev.peerbar.protocol.socket;

import dev.peerbar.linux.Epoll;
import dev.peerbar.linux.FileDescriptor;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * What a channel wants to hear of its socket from the event loop's epoll instance.
 *
 * <p>Level-triggered: what was not read yet is told again, so nobody needs a last receive that only
 * learns that there is nothing.
 */
final class EpollInterest implements EpollHandler.Handle {
  static final int IN = Epoll.IN;
  static final int OUT = Epoll.OUT;
  static final int ERROR = Epoll.ERROR;
  static final int HANG_UP = Epoll.HANG_UP;

  /** Who wants to hear. On the event loop. */
  interface Listener {
    /**
     * @param events of {@link #IN}, {@link #OUT}, {@link #ERROR} and {@link #HANG_UP}; the last two
     *     come whether wanted or not
     */
    void ready(int events);

    /** The event loop ends. */
    void loopEnds();
  }

  private final FileDescriptor socket;
  private final Listener listener;
  private IoRegistration registration;
  private int wanted;
  // Whether not even the end is to be heard while nothing is wanted.
  private boolean quiet;

  EpollInterest(FileDescriptor socket, Listener listener) {
    this.socket = socket;
    this.listener = listener;
  }

  static boolean isCompatible(EventLoop loop) {
    return loop instanceof IoEventLoop io && io.isCompatible(EpollInterest.class);
  }

  void register(EventLoop loop, ChannelPromise promise) {
    ((IoEventLoop) loop)
        .register(this)
        .addListener((Future<IoRegistration> done) -> {
          if (done.isSuccess()) {
            registration = done.getNow();
            submit();
            promise.setSuccess();
          } else {
            promise.setFailure(done.cause());
          }
        });
  }

  /**
   * Registers at once. On the event loop.
   *
   * @throws IOException if the loop takes no more
   */
  void registerNow(EventLoop loop) throws IOException {
    Future<IoRegistration> done = ((IoEventLoop) loop).register(this);
    if (!done.isSuccess()) {
      throw new IOException("not registered with the event loop", done.cause());
    }
    registration = done.getNow();
    try {
      submit();
    } catch (UncheckedIOException e) {
      registration.cancel();
      throw e.getCause();
    }
  }

  /** Whether the events are wanted. */
  boolean wants(int events) {
    return (wanted & events) == events;
  }

  void want(int events) {
    set(wanted | events);
  }

  void ignore(int events) {
    set(wanted & ~events);
  }

  /**
   * Takes the socket out of the epoll instance while no event is wanted: for a socket whose end
   * somebody else notices. A watched one calls epoll for each message that comes and each that the
   * peer takes, which is a tenth of what a message costs.
   */
  void quiet(boolean on) {
    if (quiet != on) {
      quiet = on;
      submit();
    }
  }

  private void set(int events) {
    boolean changed = events != wanted;
    wanted = events;
    if (changed) {
      submit();
    }
  }

  private void submit() {
    if (registration != null && registration.isValid()) {
      int heard = wanted == 0 && quiet ? EpollHandler.NOTHING : wanted | ERROR;
      registration.submit(new EpollHandler.Events(heard));
    }
  }

  /**
   * Hears nothing any more. To be called while the socket is open, lest it be another's by then.
   */
  void cancel() {
    if (registration != null) {
      registration.cancel();
    }
  }

  @Override
  public FileDescriptor descriptor() {
    return socket;
  }

  @Override
  public void handle(IoRegistration from, IoEvent event) {
    listener.ready(((EpollHandler.Events) event).bits());
  }

  @Override
  public void close() {
    listener.loopEnds();
  }
}
