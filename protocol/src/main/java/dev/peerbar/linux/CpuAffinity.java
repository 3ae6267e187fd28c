package dev.peerbar.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/** On which processors a thread runs (sched_setaffinity(2)). Threads that it starts do so, too. */
public final class CpuAffinity {
  /** Of the masks, in bytes: more processors than any machine has. */
  private static final int MASK = 1024;

  private static final int CALLING_THREAD = 0;

  private CpuAffinity() {}

  /** The processors, by number, on which the calling thread may run. */
  public static BitSet ofCallingThread() throws LinuxException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment mask = arena.allocate(MASK, Long.BYTES);
      Libc.check("sched_getaffinity", Libc.schedGetaffinity(CALLING_THREAD, MASK, mask));
      return BitSet.valueOf(mask.toArray(JAVA_BYTE));
    }
  }

  /**
   * Has the calling thread run on some processors only.
   *
   * @throws LinuxException EINVAL if it may run on none of them
   */
  public static void setOfCallingThread(BitSet processors) throws LinuxException {
    byte[] bits = processors.toByteArray();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment mask = arena.allocate(MASK, Long.BYTES);
      MemorySegment.copy(bits, 0, mask, JAVA_BYTE, 0, Math.min(MASK, bits.length));
      Libc.check("sched_setaffinity", Libc.schedSetaffinity(CALLING_THREAD, MASK, mask));
    }
  }
}
