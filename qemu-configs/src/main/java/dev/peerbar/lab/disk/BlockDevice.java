package dev.peerbar.lab.disk;

import dev.peerbar.lab.guest.Argument;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.GuestSystem.OpenFlag;
import dev.peerbar.lab.guest.Syscall;
import java.io.IOException;

/**
 * A block device of the guest, open past the page cache (O_DIRECT): its driver moves the bytes
 * between the device and the memory that is named, which may be another device's.
 */
public final class BlockDevice implements AutoCloseable {
  private final GuestSystem system;
  private final String path;
  private final int fd;

  private BlockDevice(GuestSystem system, String path, int fd) {
    this.system = system;
    this.path = path;
    this.fd = fd;
  }

  static BlockDevice open(GuestSystem system, String path) throws IOException {
    return new BlockDevice(system, path, system.open(path, OpenFlag.READ_WRITE, OpenFlag.DIRECT));
  }

  /**
   * Reads blocks into memory.
   *
   * @param position on the device, in bytes, like the length a multiple of its block size
   * @throws dev.peerbar.lab.guest.GuestErrnoException if the kernel or the device refuses
   */
  public void read(long position, GuestMemory into, long offset, long length) throws IOException {
    transfer(Syscall.PREAD64, position, into.at(offset, length), length);
  }

  /**
   * Reads blocks into memory, as many as it can; how many bytes these are.
   *
   * @param position on the device, in bytes, like the length a multiple of its block size
   */
  public long tryRead(long position, GuestMemory into, long offset, long length)
      throws IOException {
    return moved(Syscall.PREAD64, position, into.at(offset, length), length);
  }

  /** Writes blocks from memory, likewise. */
  public void write(long position, GuestMemory from, long offset, long length) throws IOException {
    transfer(Syscall.PWRITE64, position, from.at(offset, length), length);
  }

  private void transfer(Syscall call, long position, long address, long length) throws IOException {
    long moved = moved(call, position, address, length);
    if (moved != length) {
      throw new IOException("%s of %s moved %d of %d bytes".formatted(call, path, moved, length));
    }
  }

  private long moved(Syscall call, long position, long address, long length) throws IOException {
    return system
        .agent()
        .syscall(
            call, Argument.of(fd), Argument.of(address), Argument.of(length), Argument.of(position))
        .value();
  }

  @Override
  public void close() throws IOException {
    system.close(fd);
  }
}
