package dev.peerbar.scenario.p2pmem;

import dev.peerbar.lab.guest.Argument;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.GuestSystem;
import dev.peerbar.lab.guest.Syscall;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * System calls that move bytes from and to memory of the guest's agent, or change how it is mapped.
 *
 * @param system the guest
 */
record MemoryCalls(GuestSystem system) {
  private static final int MAY_MOVE = 1;

  /** Advice to let pages go. */
  private static final int DONT_NEED = 4;

  /** Both ends of a pipe. */
  record Pipe(GuestSystem system, int out, int in) implements AutoCloseable {
    @Override
    public void close() throws IOException {
      system.close(out);
      system.close(in);
    }
  }

  Pipe pipe() throws IOException {
    byte[] ends = new byte[2 * Integer.BYTES];
    call(Syscall.PIPE2, Argument.out(ends), Argument.of(0));
    ByteBuffer both = ByteBuffer.wrap(ends).order(ByteOrder.LITTLE_ENDIAN);
    return new Pipe(system, both.getInt(), both.getInt());
  }

  /** Gives pages of memory to a pipe. */
  void vmsplice(Pipe pipe, GuestMemory memory, long length) throws IOException {
    call(
        Syscall.VMSPLICE,
        Argument.of(pipe.in()),
        Argument.in(vector(memory, length)),
        Argument.of(1),
        Argument.of(0));
  }

  /** Has the kernel copy from one place of the agent to another, as between two processes. */
  long copyBetweenProcesses(GuestMemory from, GuestMemory to, long length) throws IOException {
    long self = call(Syscall.GETPID);
    return call(
        Syscall.PROCESS_VM_READV,
        Argument.of(self),
        Argument.in(vector(to, length)),
        Argument.of(1),
        Argument.in(vector(from, length)),
        Argument.of(1),
        Argument.of(0));
  }

  void lock(GuestMemory memory, long length) throws IOException {
    call(Syscall.MLOCK, Argument.of(memory.address()), Argument.of(length));
  }

  /** Moves a mapping and changes its length; where it is then. */
  long remap(long address, long length, long newLength) throws IOException {
    return call(
        Syscall.MREMAP,
        Argument.of(address),
        Argument.of(length),
        Argument.of(newLength),
        Argument.of(MAY_MOVE));
  }

  void letGo(long address, long length) throws IOException {
    call(Syscall.MADVISE, Argument.of(address), Argument.of(length), Argument.of(DONT_NEED));
  }

  void protect(long address, long length, int protection) throws IOException {
    call(Syscall.MPROTECT, Argument.of(address), Argument.of(length), Argument.of(protection));
  }

  /** Reads from a file or pipe into memory; how many bytes. */
  long read(int fd, GuestMemory into, long offset, long length) throws IOException {
    return call(
        Syscall.READ, Argument.of(fd), Argument.of(into.at(offset, length)), Argument.of(length));
  }

  /** Writes memory to a file or pipe; how many bytes. */
  long write(int fd, GuestMemory from, long offset, long length) throws IOException {
    return call(
        Syscall.WRITE, Argument.of(fd), Argument.of(from.at(offset, length)), Argument.of(length));
  }

  /** Reads from the start of a file into the start of memory; how many bytes. */
  long readAtStart(int fd, GuestMemory into, long length) throws IOException {
    return call(
        Syscall.PREAD64,
        Argument.of(fd),
        Argument.of(into.at(0, length)),
        Argument.of(length),
        Argument.of(0));
  }

  /** Writes the start of memory to the start of a file; how many bytes. */
  long writeAtStart(int fd, GuestMemory from, long length) throws IOException {
    return call(
        Syscall.PWRITE64,
        Argument.of(fd),
        Argument.of(from.at(0, length)),
        Argument.of(length),
        Argument.of(0));
  }

  long sendFile(int fd, Pipe pipe, long length) throws IOException {
    return call(
        Syscall.SENDFILE,
        Argument.of(pipe.in()),
        Argument.of(fd),
        Argument.of(0),
        Argument.of(length));
  }

  private long call(Syscall call, Argument... arguments) throws IOException {
    return system.agent().syscall(call, arguments).value();
  }

  /** A {@code struct iovec}. */
  private static byte[] vector(GuestMemory memory, long length) {
    return ByteBuffer.allocate(2 * Long.BYTES)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(memory.at(0, length))
        .putLong(length)
        .array();
  }
}
