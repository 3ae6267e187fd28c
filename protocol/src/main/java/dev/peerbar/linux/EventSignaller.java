package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Signals event descriptors of others without ever waiting for them. For any thread.
 *
 * <p>A write to a full counter waits, unless the open file says otherwise, and what the open file
 * says is up to everyone who shares it: no check before a write is good for the time of the write.
 * The kernel's own signal never waits (it is what Linux vfio raises interrupts with). A program
 * gets it as the notification of an asynchronous read, io_submit(2) with IOCB_FLAG_RESFD: here one
 * of no bytes, which is over before the call returns.
 *
 * <p>Where the kernel has no asynchronous I/O, or has no more of it to give, this is {@link
 * EventDescriptor#signal}.
 */
public final class EventSignaller implements AutoCloseable {
  private static final int MFD_CLOEXEC = 1;

  // struct iocb, little-endian
  private static final long IOCB_OPCODE = 16;
  private static final long IOCB_FILE = 20;
  private static final long IOCB_FLAGS = 56;
  private static final long IOCB_EVENT = 60;
  private static final long IOCB = 64;
  private static final short IOCB_CMD_PREAD = 0;
  private static final int IOCB_FLAG_RESFD = 1;

  /** How many completions the kernel keeps until they are collected, at least. */
  private static final int COMPLETIONS = 64;

  /** struct io_event */
  private static final long COMPLETION = 32;

  // Where the structures are in the one piece of memory.
  private static final long POINTER = IOCB;
  private static final long CONTEXT = POINTER + 8;
  private static final long NO_TIME = CONTEXT + 8;
  private static final long COLLECTED = NO_TIME + 16;
  private static final long TOTAL = COLLECTED + COMPLETIONS * COMPLETION;

  /** The numbers of the calls, which the C library has no functions for. */
  private record Calls(int setup, int destroy, int submit, int collect) {
    static Optional<Calls> ofThisMachine() {
      return switch (System.getProperty("os.arch")) {
        case "amd64" -> Optional.of(new Calls(206, 207, 209, 208));
        case "aarch64", "riscv64" -> Optional.of(new Calls(0, 1, 2, 4));
        default -> Optional.empty();
      };
    }
  }

  private final Optional<Calls> calls = Calls.ofThisMachine();
  private final MemorySegment memory = Arena.ofAuto().allocate(TOTAL, Long.BYTES);

  /** What is read: an empty file. Null if there is no asynchronous I/O. */
  private final FileDescriptor nothing;

  private final long context;
  private boolean closed;

  /** Never fails; see {@link #neverWaits}. */
  public EventSignaller() {
    if (calls.isEmpty()
        || Libc.syscall(calls.get().setup(), COMPLETIONS, memory.address() + CONTEXT, 0, 0, 0)
            < 0) {
      nothing = null;
      context = 0;
      return;
    }
    context = memory.get(JAVA_LONG, CONTEXT);
    int file;
    try (Arena arena = Arena.ofConfined()) {
      file = Libc.memfdCreate(arena.allocateFrom("peerbar-nothing"), MFD_CLOEXEC);
    }
    if (file < 0) {
      nothing = null;
      destroy();
      return;
    }
    nothing = FileDescriptor.adopt(file);
    memory.set(JAVA_SHORT, IOCB_OPCODE, IOCB_CMD_PREAD);
    memory.set(JAVA_INT, IOCB_FILE, file);
    memory.set(JAVA_INT, IOCB_FLAGS, IOCB_FLAG_RESFD);
    memory.set(JAVA_LONG, POINTER, memory.address());
  }

  /** Whether the promise of this class holds on this machine. */
  public boolean neverWaits() {
    return nothing != null;
  }

  /**
   * Adds one to the count. A count that is full says all that it can. Does nothing once closed.
   *
   * @throws LinuxException EBADF if the descriptor is closed, EINVAL if it is no event descriptor
   */
  public synchronized void signal(FileDescriptor event) throws LinuxException {
    if (closed) {
      return;
    }
    if (nothing == null) {
      EventDescriptor.signal(event);
      return;
    }
    int number = event.acquire("io_submit");
    try {
      memory.set(JAVA_INT, IOCB_EVENT, number);
      if (submit() != 1) {
        if (Libc.errno() == Errno.EAGAIN.code()) {
          // No room for another completion.
          collect();
        }
        if (submit() != 1) {
          throw new LinuxException("io_submit", Libc.errno());
        }
      }
    } finally {
      event.release();
    }
  }

  private long submit() {
    return Libc.syscall(calls.orElseThrow().submit(), context, 1, memory.address() + POINTER, 0, 0);
  }

  private void collect() {
    Libc.syscall(
        calls.orElseThrow().collect(),
        context,
        0,
        COMPLETIONS,
        memory.address() + COLLECTED,
        memory.address() + NO_TIME);
  }

  private void destroy() {
    Libc.syscall(calls.orElseThrow().destroy(), context, 0, 0, 0, 0);
  }

  /** Frees what the kernel keeps; again, does nothing. */
  @Override
  public synchronized void close() {
    if (!closed && nothing != null) {
      destroy();
      nothing.close();
    }
    closed = true;
  }
}
