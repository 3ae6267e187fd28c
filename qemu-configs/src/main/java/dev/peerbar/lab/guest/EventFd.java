package dev.peerbar.lab.guest;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** An eventfd in the guest, on which interrupts arrive. */
public final class EventFd implements AutoCloseable {
  private final GuestSystem system;
  private final int fd;

  public EventFd(GuestSystem system, int fd) {
    this.system = system;
    this.fd = fd;
  }

  /** The guest's file descriptor. */
  public int fd() {
    return fd;
  }

  /** Waits until it is signalled and clears it: how often it was, or empty if never in time. */
  public Optional<Long> await(Duration limit) throws IOException {
    return system.agent().awaitEvent(fd, limit);
  }

  /** Clears it: how often it was signalled since the last time, 0 for not at all. */
  public long drain() throws IOException {
    return await(Duration.ZERO).orElse(0L);
  }

  @Override
  public void close() throws IOException {
    system.close(fd);
  }
}
