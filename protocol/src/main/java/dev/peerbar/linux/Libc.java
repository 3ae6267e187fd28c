package dev.peerbar.linux;

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
 *
 * <p>All functions are called with one signature: six arguments of 64 bits, whatever the function
 * takes, and a result of 64 bits. The JVM makes code for each signature that is linked, which takes
 * several milliseconds when a program starts. System V x86-64 and AAPCS64 allow it: they pass an
 * int in the low half of the register that a long would fill, and promise nothing of the other
 * half; a variadic function finds integers where any other does; and a function does not look at
 * registers of arguments that it does not have.
 */
@SuppressWarnings("restricted") // What this class is for.
final class Libc {
  static final int F_GETFL = 3;
  static final int F_SETFL = 4;
  static final int F_DUPFD_CLOEXEC = 1030;
  static final int F_ADD_SEALS = 1033;
  static final int F_GET_SEALS = 1034;
  static final int F_OFD_GETLK = 36;
  static final int F_OFD_SETLK = 37;

  static final int RWF_NOWAIT = 0x8;

  private static final long EPOLL_PWAIT2 = 441;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final long ERRNO =
      CALL_STATE.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

  /** Where calls of a thread leave errno. Freed with the thread. */
  private static final ThreadLocal<MemorySegment> STATE =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CALL_STATE));

  private static final MethodHandle CALL =
      LINKER.downcallHandle(
          FunctionDescriptor.of(
              JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
          Linker.Option.captureCallState("errno"));

  /** As {@link #CALL} without errno, which takes a segment for each call. Linked if needed. */
  private static final class Plain {
    static final MethodHandle CALL =
        LINKER.downcallHandle(
            FunctionDescriptor.of(
                JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG));

    private Plain() {}
  }

  private static final MemorySegment OPEN = function("open64");
  private static final MemorySegment LABS = function("labs");
  private static final MemorySegment CLOSE = function("close");
  private static final MemorySegment FCNTL = function("fcntl");
  private static final MemorySegment MEMFD_CREATE = function("memfd_create");
  private static final MemorySegment FTRUNCATE = function("ftruncate");
  private static final MemorySegment MMAP = function("mmap");
  private static final MemorySegment MUNMAP = function("munmap");
  private static final MemorySegment EVENTFD = function("eventfd");
  private static final MemorySegment READ = function("read");
  private static final MemorySegment WRITE = function("write");
  private static final MemorySegment PREADV2 = function("preadv2");
  private static final MemorySegment EPOLL_CREATE1 = function("epoll_create1");
  private static final MemorySegment EPOLL_CTL = function("epoll_ctl");
  private static final MemorySegment EPOLL_WAIT = function("epoll_wait");
  private static final MemorySegment SYSCALL = function("syscall");
  private static final MemorySegment PREAD = function("pread64");
  private static final MemorySegment PWRITE = function("pwrite64");
  private static final MemorySegment PROCESS_VM_WRITEV = function("process_vm_writev");
  private static final MemorySegment FALLOCATE = function("fallocate64");
  private static final MemorySegment PRCTL = function("prctl");
  private static final MemorySegment SCHED_GETAFFINITY = function("sched_getaffinity");
  private static final MemorySegment SCHED_SETAFFINITY = function("sched_setaffinity");
  private static final MemorySegment FDATASYNC = function("fdatasync");
  private static final MemorySegment MADVISE = function("madvise");
  private static final MemorySegment LSEEK = function("lseek64");
  private static final MemorySegment POLL = function("poll");
  private static final MemorySegment STATX = function("statx");
  private static final MemorySegment FSTATFS = function("fstatfs");
  private static final MemorySegment FCHMOD = function("fchmod");
  private static final MemorySegment SOCKET = function("socket");
  private static final MemorySegment SOCKETPAIR = function("socketpair");
  private static final MemorySegment BIND = function("bind");
  private static final MemorySegment CONNECT = function("connect");
  private static final MemorySegment LISTEN = function("listen");
  private static final MemorySegment ACCEPT4 = function("accept4");
  private static final MemorySegment SHUTDOWN = function("shutdown");
  private static final MemorySegment GETSOCKOPT = function("getsockopt");
  private static final MemorySegment SETSOCKOPT = function("setsockopt");
  private static final MemorySegment IOCTL = function("ioctl");
  private static final MemorySegment RECVMSG = function("recvmsg");
  private static final MemorySegment SENDMSG = function("sendmsg");

  private Libc() {}

  private static MemorySegment function(String name) {
    return LINKER.defaultLookup().findOrThrow(name);
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

  private static long callPlain(
      MemorySegment function, long a, long b, long c, long d, long e, long f) {
    try {
      return (long) Plain.CALL.invokeExact(function, a, b, c, d, e, f);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  private static long call(MemorySegment function, long a) {
    return call(function, a, 0, 0, 0, 0, 0);
  }

  private static long call(MemorySegment function, long a, long b) {
    return call(function, a, b, 0, 0, 0, 0);
  }

  private static long call(MemorySegment function, long a, long b, long c) {
    return call(function, a, b, c, 0, 0, 0);
  }

  private static long call(MemorySegment function, long a, long b, long c, long d) {
    return call(function, a, b, c, d, 0, 0);
  }

  private static long call(MemorySegment function, long a, long b, long c, long d, long e) {
    return call(function, a, b, c, d, e, 0);
  }

  private static long call(MemorySegment function, long a, long b, long c, long d, long e, long f) {
    try {
      return (long) CALL.invokeExact(function, STATE.get(), a, b, c, d, e, f);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  static int open(MemorySegment path, int flags) {
    return (int) call(OPEN, path.address(), flags, 0);
  }

  /** Leaves Java and comes back. */
  static void nothing() {
    callPlain(LABS, 0, 0, 0, 0, 0, 0);
  }

  static int close(int fd) {
    return (int) call(CLOSE, fd);
  }

  static int fcntl(int fd, int command, long argument) {
    return (int) call(FCNTL, fd, command, argument);
  }

  static int memfdCreate(MemorySegment name, int flags) {
    return (int) call(MEMFD_CREATE, name.address(), flags);
  }

  static int ftruncate(int fd, long size) {
    return (int) call(FTRUNCATE, fd, size);
  }

  static long mmap(long address, long length, int protection, int flags, int fd, long offset) {
    return call(MMAP, address, length, protection, flags, fd, offset);
  }

  static int munmap(long address, long length) {
    return (int) call(MUNMAP, address, length);
  }

  static int eventfd(int initial, int flags) {
    return (int) call(EVENTFD, initial, flags);
  }

  static long read(int fd, long address, long length) {
    return call(READ, fd, address, length);
  }

  static long write(int fd, long address, long length) {
    return call(WRITE, fd, address, length);
  }

  /** A preadv2 of one range that does not wait, without errno if it fails. */
  static long preadNow(int fd, long range, long offset) {
    return callPlain(PREADV2, fd, range, 1, offset, RWF_NOWAIT, 0);
  }

  static long preadv2(int fd, long ranges, int count, long offset, int flags) {
    return call(PREADV2, fd, ranges, count, offset, flags);
  }

  static int epollCreate1(int flags) {
    return (int) call(EPOLL_CREATE1, flags);
  }

  static int epollCtl(int epoll, int operation, int fd, long event) {
    return (int) call(EPOLL_CTL, epoll, operation, fd, event);
  }

  static int epollWait(int epoll, long events, int count, int milliseconds) {
    return (int) call(EPOLL_WAIT, epoll, events, count, milliseconds);
  }

  /** As {@link #epollWait} without waiting, and without errno if it fails. */
  static int epollLook(int epoll, long events, int count) {
    return (int) callPlain(EPOLL_WAIT, epoll, events, count, 0, 0, 0);
  }

  /**
   * Without a set of signals. By its number, the same on all architectures: C libraries have a
   * function for it only since glibc 2.35.
   *
   * @param time of a timespec; 0 for ever
   */
  static int epollPwait2(int epoll, long events, int count, long time) {
    return (int) syscall(EPOLL_PWAIT2, epoll, events, count, time, 0);
  }

  static int prctl(int option, long argument) {
    return (int) call(PRCTL, option, argument, 0L, 0L, 0L);
  }

  static int schedGetaffinity(int thread, long size, MemorySegment mask) {
    return (int) call(SCHED_GETAFFINITY, thread, size, mask.address());
  }

  static int schedSetaffinity(int thread, long size, MemorySegment mask) {
    return (int) call(SCHED_SETAFFINITY, thread, size, mask.address());
  }

  /** A call that the C library has no function for. Arguments that it does not take are ignored. */
  static long syscall(long number, long a, long b, long c, long d, long e) {
    return call(SYSCALL, number, a, b, c, d, e);
  }

  static long pread(int fd, long address, long length, long offset) {
    return call(PREAD, fd, address, length, offset);
  }

  static long pwrite(int fd, long address, long length, long offset) {
    return call(PWRITE, fd, address, length, offset);
  }

  static long processVmWritev(long process, long from, long fromCount, long into, long intoCount) {
    return call(PROCESS_VM_WRITEV, process, from, fromCount, into, intoCount, 0);
  }

  static int fallocate(int fd, int mode, long offset, long length) {
    return (int) call(FALLOCATE, fd, mode, offset, length);
  }

  static int fdatasync(int fd) {
    return (int) call(FDATASYNC, fd);
  }

  static int madvise(long address, long length, int advice) {
    return (int) call(MADVISE, address, length, advice);
  }

  static long lseek(int fd, long offset, int whence) {
    return call(LSEEK, fd, offset, whence);
  }

  static int poll(long entries, long count, int milliseconds) {
    return (int) call(POLL, entries, count, milliseconds);
  }

  static int statx(int directory, MemorySegment path, int flags, int mask, MemorySegment into) {
    return (int) call(STATX, directory, path.address(), flags, mask, into.address());
  }

  static int fstatfs(int fd, MemorySegment into) {
    return (int) call(FSTATFS, fd, into.address());
  }

  static int fchmod(int fd, int mode) {
    return (int) call(FCHMOD, fd, mode);
  }

  static int socket(int domain, int type, int protocol) {
    return (int) call(SOCKET, domain, type, protocol);
  }

  static int socketpair(int domain, int type, int protocol, MemorySegment pair) {
    return (int) call(SOCKETPAIR, domain, type, protocol, pair.address());
  }

  static int bind(int fd, MemorySegment address, int length) {
    return (int) call(BIND, fd, address.address(), length);
  }

  static int connect(int fd, MemorySegment address, int length) {
    return (int) call(CONNECT, fd, address.address(), length);
  }

  static int listen(int fd, int backlog) {
    return (int) call(LISTEN, fd, backlog);
  }

  static int accept4(int fd, long address, long length, int flags) {
    return (int) call(ACCEPT4, fd, address, length, flags);
  }

  static int shutdown(int fd, int how) {
    return (int) call(SHUTDOWN, fd, how);
  }

  static int getsockopt(int fd, int level, int option, MemorySegment value, MemorySegment length) {
    return (int) call(GETSOCKOPT, fd, level, option, value.address(), length.address());
  }

  static int setsockopt(int fd, int level, int option, MemorySegment value, int length) {
    return (int) call(SETSOCKOPT, fd, level, option, value.address(), length);
  }

  static int ioctl(int fd, long request, long argument) {
    return (int) call(IOCTL, fd, request, argument);
  }

  static long recvmsg(int fd, long message, int flags) {
    return call(RECVMSG, fd, message, flags);
  }

  static long sendmsg(int fd, long message, int flags) {
    return call(SENDMSG, fd, message, flags);
  }
}
