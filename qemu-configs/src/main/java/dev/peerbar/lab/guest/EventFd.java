package dev.peerbar.lab.guest;

import dev.peerbar.driver.Interrupt;
import java.io.IOException;
import java.time.Duration;

/** An eventfd in the guest, at which interrupts arrive. */
public final class EventFd implements Interrupt, AutoCloseable {
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

  @Override
  public long await(Duration limit) throws IOException {
    return system.agent().awaitEvent(fd, limit).orElse(0L);
  }

  @Override
  public long drain() throws IOException {
    return await(Duration.ZERO);
  }

  @Override
  public void close() throws IOException {
    system.close(fd);
  }
}
