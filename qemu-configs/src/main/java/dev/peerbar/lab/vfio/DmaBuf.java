package dev.peerbar.lab.vfio;

import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.MapFlag;
import dev.peerbar.lab.guest.GuestSystem.Protection;
import java.io.IOException;
import java.util.EnumSet;

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

  /**
   * Maps part of it, if the kernel maps DMABUFs of BARs, for loads and stores that others see.
   *
   * @param offset from its start, a multiple of the page size
   * @param length in bytes
   */
  public GuestMemory map(long offset, long length) throws IOException {
    long address =
        system.mmap(length, Protection.READ_WRITE, EnumSet.of(MapFlag.SHARED), fd, offset);
    return new GuestMemory(system, address, length);
  }

  /** Maps all of it, likewise. */
  public GuestMemory map() throws IOException {
    return map(0, length);
  }

  @Override
  public void close() throws IOException {
    system.close(fd);
  }
}
