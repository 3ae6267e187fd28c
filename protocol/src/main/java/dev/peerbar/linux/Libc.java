package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;

/**
 * The system calls, as the C library has them: a failed one returns -1, and {@link #errno} of the
 * same thread tells why.
 *
 * <p>Pointers are passed as numbers, so that a call on the way of a message allocates nothing. The
 * caller keeps what they point to alive.
 */
@SuppressWarnings("restricted") // What this class is for.
final class Libc {
  static final int F_GETFD = 1;
  static final int F_SETFD = 2;
  static final int F_GETFL = 3;
  static final int F_SETFL = 4;
  static final int F_DUPFD_CLOEXEC = 1030;
  static final int F_ADD_SEALS = 1033;
  static final int F_GET_SEALS = 1034;
  static final int F_OFD_GETLK = 36;
  static final int F_OFD_SETLK = 37;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final long ERRNO =
      CALL_STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

  /** Where calls of a thread leave errno. Freed with the thread. */
  private static final ThreadLocal<MemorySegment> STATE =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CALL_STATE));

  private static final MethodHandle OPEN =
      variadic("open64", 2, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
  private static final MethodHandle CLOSE = handle("close", JAVA_INT, JAVA_INT);
  private static final MethodHandle FCNTL =
      variadic("fcntl", 2, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MEMFD_CREATE =
      handle("memfd_create", JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle FTRUNCATE = handle("ftruncate", JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MMAP =
      handle("mmap", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle MUNMAP = handle("munmap", JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle EVENTFD = handle("eventfd", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle READ =
      handle("read", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle WRITE =
      handle("write", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle PREADV2 =
      handle("preadv2", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
  private static final MethodHandle EPOLL_CREATE1 = handle("epoll_create1", JAVA_INT, JAVA_INT);
  private static final MethodHandle EPOLL_CTL =
      handle("epoll_ctl", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG);
  private static final MethodHandle EPOLL_WAIT =
      handle("epoll_wait", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT);
  private static final MethodHandle SYSCALL =
      variadic(
          "syscall", 1, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
          JAVA_LONG);
  private static final MethodHandle PREAD =
      handle("pread64", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle PWRITE =
      handle("pwrite64", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle FALLOCATE =
      handle("fallocate64", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle PRCTL =
      variadic("prctl", 1, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle SCHED_GETAFFINITY =
      handle("sched_getaffinity", JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS);
  private static final MethodHandle SCHED_SETAFFINITY =
      handle("sched_setaffinity", JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS);
  private static final MethodHandle FDATASYNC = handle("fdatasync", JAVA_INT, JAVA_INT);
  private static final MethodHandle MADVISE =
      handle("madvise", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
  private static final MethodHandle LSEEK =
      handle("lseek64", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
  private static final MethodHandle POLL = handle("poll", JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
  private static final MethodHandle STATX =
      handle("statx", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle FSTATFS = handle("fstatfs", JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle FCHMOD = handle("fchmod", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle SOCKET =
      handle("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle SOCKETPAIR =
      handle("socketpair", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS);
  private static final MethodHandle BIND = handle("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle CONNECT =
      handle("connect", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle LISTEN = handle("listen", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle ACCEPT4 =
      handle("accept4", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
  private static final MethodHandle SHUTDOWN = handle("shutdown", JAVA_INT, JAVA_INT, JAVA_INT);
  private static final MethodHandle GETSOCKOPT =
      handle("getsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
  private static final MethodHandle SETSOCKOPT =
      handle("setsockopt", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
  private static final MethodHandle RECVMSG =
      handle("recvmsg", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);
  private static final MethodHandle SENDMSG =
      handle("sendmsg", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT);

  private Libc() {}

  private static MethodHandle handle(String name, MemoryLayout result, MemoryLayout... parameters) {
    return handle(
        name, FunctionDescriptor.of(result, parameters), Linker.Option.captureCallState("errno"));
  }

  private static MethodHandle variadic(
      String name, int firstVariadic, MemoryLayout result, MemoryLayout... parameters) {
    return handle(
        name,
        FunctionDescriptor.of(result, parameters),
        Linker.Option.captureCallState("errno"),
        Linker.Option.firstVariadicArg(firstVariadic));
  }

  private static MethodHandle handle(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), descriptor, options);
  }

  /** Why the last call of this thread that returned -1 failed. */
  static int errno() {
    return STATE.get().get(JAVA_INT, ERRNO);
  }

  /** The result of a call that may not fail, or its failure thrown. */
  static int check(String call, int result) throws LinuxException {
    if (result < 0) {
      throw new LinuxException(call, errno());
    }
    return result;
  }

  private static AssertionError unexpected(Throwable t) {
    if (t instanceof Error error) {
      throw error;
    }
    return new AssertionError(t);
  }

  static int open(MemorySegment path, int flags) {
    try {
      return (int) OPEN.invokeExact(STATE.get(), path, flags, 0);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int close(int fd) {
    try {
      return (int) CLOSE.invokeExact(STATE.get(), fd);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int fcntl(int fd, int command, long argument) {
    try {
      return (int) FCNTL.invokeExact(STATE.get(), fd, command, argument);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int memfdCreate(MemorySegment name, int flags) {
    try {
      return (int) MEMFD_CREATE.invokeExact(STATE.get(), name, flags);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int ftruncate(int fd, long size) {
    try {
      return (int) FTRUNCATE.invokeExact(STATE.get(), fd, size);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long mmap(long address, long length, int protection, int flags, int fd, long offset) {
    try {
      return (long) MMAP.invokeExact(STATE.get(), address, length, protection, flags, fd, offset);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int munmap(long address, long length) {
    try {
      return (int) MUNMAP.invokeExact(STATE.get(), address, length);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int eventfd(int initial, int flags) {
    try {
      return (int) EVENTFD.invokeExact(STATE.get(), initial, flags);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long read(int fd, long address, long length) {
    try {
      return (long) READ.invokeExact(STATE.get(), fd, address, length);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long write(int fd, long address, long length) {
    try {
      return (long) WRITE.invokeExact(STATE.get(), fd, address, length);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long preadv2(int fd, long ranges, int count, long offset, int flags) {
    try {
      return (long) PREADV2.invokeExact(STATE.get(), fd, ranges, count, offset, flags);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int epollCreate1(int flags) {
    try {
      return (int) EPOLL_CREATE1.invokeExact(STATE.get(), flags);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int epollCtl(int epoll, int operation, int fd, long event) {
    try {
      return (int) EPOLL_CTL.invokeExact(STATE.get(), epoll, operation, fd, event);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int epollWait(int epoll, long events, int count, int milliseconds) {
    try {
      return (int) EPOLL_WAIT.invokeExact(STATE.get(), epoll, events, count, milliseconds);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int prctl(int option, long argument) {
    try {
      return (int) PRCTL.invokeExact(STATE.get(), option, argument, 0L, 0L, 0L);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static int schedGetaffinity(int thread, long size, MemorySegment mask) {
    try {
      return (int) SCHED_GETAFFINITY.invokeExact(STATE.get(), thread, size, mask);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int schedSetaffinity(int thread, long size, MemorySegment mask) {
    try {
      return (int) SCHED_SETAFFINITY.invokeExact(STATE.get(), thread, size, mask);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** A call that the C library has no function for. Arguments that it does not take are ignored. */
  static long syscall(long number, long a, long b, long c, long d, long e) {
    try {
      return (long) SYSCALL.invokeExact(STATE.get(), number, a, b, c, d, e);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long pread(int fd, long address, long length, long offset) {
    try {
      return (long) PREAD.invokeExact(STATE.get(), fd, address, length, offset);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long pwrite(int fd, long address, long length, long offset) {
    try {
      return (long) PWRITE.invokeExact(STATE.get(), fd, address, length, offset);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int fallocate(int fd, int mode, long offset, long length) {
    try {
      return (int) FALLOCATE.invokeExact(STATE.get(), fd, mode, offset, length);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int fdatasync(int fd) {
    try {
      return (int) FDATASYNC.invokeExact(STATE.get(), fd);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int madvise(long address, long length, int advice) {
    try {
      return (int) MADVISE.invokeExact(STATE.get(), address, length, advice);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long lseek(int fd, long offset, int whence) {
    try {
      return (long) LSEEK.invokeExact(STATE.get(), fd, offset, whence);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int poll(long entries, long count, int milliseconds) {
    try {
      return (int) POLL.invokeExact(STATE.get(), entries, count, milliseconds);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int statx(int directory, MemorySegment path, int flags, int mask, MemorySegment into) {
    try {
      return (int) STATX.invokeExact(STATE.get(), directory, path, flags, mask, into);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int fstatfs(int fd, MemorySegment into) {
    try {
      return (int) FSTATFS.invokeExact(STATE.get(), fd, into);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int fchmod(int fd, int mode) {
    try {
      return (int) FCHMOD.invokeExact(STATE.get(), fd, mode);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int socket(int domain, int type, int protocol) {
    try {
      return (int) SOCKET.invokeExact(STATE.get(), domain, type, protocol);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int socketpair(int domain, int type, int protocol, MemorySegment pair) {
    try {
      return (int) SOCKETPAIR.invokeExact(STATE.get(), domain, type, protocol, pair);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int bind(int fd, MemorySegment address, int length) {
    try {
      return (int) BIND.invokeExact(STATE.get(), fd, address, length);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int connect(int fd, MemorySegment address, int length) {
    try {
      return (int) CONNECT.invokeExact(STATE.get(), fd, address, length);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int listen(int fd, int backlog) {
    try {
      return (int) LISTEN.invokeExact(STATE.get(), fd, backlog);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int accept4(int fd, long address, long length, int flags) {
    try {
      return (int) ACCEPT4.invokeExact(STATE.get(), fd, address, length, flags);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int shutdown(int fd, int how) {
    try {
      return (int) SHUTDOWN.invokeExact(STATE.get(), fd, how);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int getsockopt(int fd, int level, int option, MemorySegment value, MemorySegment length) {
    try {
      return (int) GETSOCKOPT.invokeExact(STATE.get(), fd, level, option, value, length);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int setsockopt(int fd, int level, int option, MemorySegment value, int length) {
    try {
      return (int) SETSOCKOPT.invokeExact(STATE.get(), fd, level, option, value, length);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long recvmsg(int fd, long message, int flags) {
    try {
      return (long) RECVMSG.invokeExact(STATE.get(), fd, message, flags);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static long sendmsg(int fd, long message, int flags) {
    try {
      return (long) SENDMSG.invokeExact(STATE.get(), fd, message, flags);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }
}
