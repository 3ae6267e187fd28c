package dev.peerbar.lab.vfio;

import dev.peerbar.lab.guest.GuestSystem;
import java.io.IOException;

/** A DMABUF of the guest: part of a BAR that was exported. */
public final class DmaBuf implements AutoCloseable {
  private final GuestSystem system;
  private final int fd;
  private final long length;

  DmaBuf(GuestSystem system, int fd, long length) {
    this.system = system;
    this.fd = fd;
    this.length = length;
  }

  /** The guest's file descriptor. */
  public int fd() {
    return fd;
  }

  public long length() {
    return length;
  }

  @Override
  public void close() throws IOException {
    system.close(fd);
  }
}
