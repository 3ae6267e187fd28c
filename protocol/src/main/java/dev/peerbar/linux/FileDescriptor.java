package dev.peerbar.linux;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The one owner of an open file descriptor.
 *
 * <p>For any thread. A {@link #close} while other threads are inside a call of this package on the
 * descriptor takes effect when the last of them has left, so that no call ever reaches a stranger
 * who was given the same number.
 */
public final class FileDescriptor implements AutoCloseable {
  private static final int CLOSED = 1 << 31;
  private static final VarHandle STATE;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(FileDescriptor.class, "state", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final int number;

  /** The calls in progress, and {@link #CLOSED} once nobody may begin another. */
  @SuppressWarnings("unused") // Through STATE.
  private volatile int state;

  private FileDescriptor(int number) {
    this.number = number;
  }

  /**
   * Takes over an open descriptor.
   *
   * @param number as the kernel gave it, not negative; nobody else may close it from now on
   */
  public static FileDescriptor adopt(int number) {
    if (number < 0) {
      throw new IllegalArgumentException("not a file descriptor: " + number);
    }
    return new FileDescriptor(number);
  }

  /**
   * The number, to show or to hand to the kernel by other ways than this package.
   *
   * @throws IllegalStateException if closed: the number may be another file's by now
   */
  public int number() {
    if (!isOpen()) {
      throw new IllegalStateException("file descriptor " + number + " is closed");
    }
    return number;
  }

  /** Whether nobody has closed it. */
  public boolean isOpen() {
    return (int) STATE.getVolatile(this) >= 0;
  }

  /** Closes the descriptor; again, does nothing. */
  @Override
  public void close() {
    int before = (int) STATE.getAndBitwiseOr(this, CLOSED);
    if (before == 0) {
      closeNumber();
    }
  }

  /**
   * Another descriptor of the same open file, closed on exec.
   *
   * @throws LinuxException EMFILE if the process has as many as it may have; EBADF if this is
   *     closed
   */
  public FileDescriptor duplicate() throws LinuxException {
    int held = acquire("fcntl");
    try {
      return adopt(Libc.check("fcntl", Libc.fcntl(held, Libc.F_DUPFD_CLOEXEC, 0)));
    } finally {
      release();
    }
  }

  /** The number, kept open until the matching {@link #release}. */
  int acquire(String call) throws LinuxException {
    if (!tryAcquire()) {
      throw new LinuxException(call, Errno.EBADF);
    }
    return number;
  }

  private boolean tryAcquire() {
    int before = (int) STATE.getVolatile(this);
    while (before >= 0) {
      int witness = (int) STATE.compareAndExchange(this, before, before + 1);
      if (witness == before) {
        return true;
      }
      before = witness;
    }
    return false;
  }

  void release() {
    int before = (int) STATE.getAndAdd(this, -1);
    if (before == (CLOSED | 1)) {
      closeNumber();
    }
  }

  private void closeNumber() {
    // Linux frees the number whatever close(2) returns, so there is nothing to retry or to report.
    Libc.close(number);
  }

  @Override
  public String toString() {
    return "fd " + number + (isOpen() ? "" : " (closed)");
  }
}
