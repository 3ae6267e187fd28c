package dev.peerbar.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * Copies within this process that the kernel makes (process_vm_writev(2)): where a store would
 * raise SIGBUS, it says EFAULT. It looks the pages of the target up before it copies: that is dear
 * for small ones, and the fastest way to write huge ones.
 */
public final class KernelCopy {
  private static final long IOVEC_BYTES = 16;
  private static final long IOVEC_LENGTH = 8;
  private static final int ONE = 1;

  private static final long SELF = ProcessHandle.current().pid();

  /** Where the bytes come from, and where they go. Freed with the thread. */
  private static final ThreadLocal<MemorySegment> VECTORS =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(2 * IOVEC_BYTES, Long.BYTES));

  private KernelCopy() {}

  /**
   * Copies into memory that may not be there. The ranges must not overlap.
   *
   * @param from native
   * @param into native; parts of it may be mapped from a file that has them no more
   * @throws LinuxException EFAULT for the first byte that cannot be stored; EPERM or ENOSYS if a
   *     process may not do this here, as in some containers
   */
  public static void copy(MemorySegment from, long at, MemorySegment into, long offset, long length)
      throws LinuxException {
    Objects.checkFromIndexSize(at, length, from.byteSize());
    Objects.checkFromIndexSize(offset, length, into.byteSize());
    if (into.isReadOnly()) {
      throw new LinuxException("process_vm_writev", Errno.EFAULT);
    }
    MemorySegment vectors = VECTORS.get();
    for (long done = 0; done < length; ) {
      vectors.set(ValueLayout.JAVA_LONG, 0, from.address() + at + done);
      vectors.set(ValueLayout.JAVA_LONG, IOVEC_LENGTH, length - done);
      vectors.set(ValueLayout.JAVA_LONG, IOVEC_BYTES, into.address() + offset + done);
      vectors.set(ValueLayout.JAVA_LONG, IOVEC_BYTES + IOVEC_LENGTH, length - done);
      long source = vectors.address();
      long moved = Libc.processVmWritev(SELF, source, ONE, source + IOVEC_BYTES, ONE);
      if (moved > 0) {
        done += moved;
      } else if (moved == 0) {
        throw new LinuxException("process_vm_writev", Errno.EFAULT);
      } else if (Libc.errno() != Errno.EINTR.code()) {
        throw new LinuxException("process_vm_writev", Libc.errno());
      }
    }
  }
}
