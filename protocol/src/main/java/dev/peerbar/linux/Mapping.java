package dev.peerbar.linux;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Memory of a file in this process's address space.
 *
 * <p>The segment may be used from any thread, and is not checked for being closed: a closed arena
 * would stop every thread of the process to see that none is inside. The owner does what the arena
 * would have done. Before {@link #close} it makes sure that no thread uses the segment, or a slice
 * of it, any more; a use after the close ends the process, or writes into whatever was mapped there
 * next.
 *
 * <p>If the file was made shorter than the mapping, touching what is missing throws {@link
 * InternalError}: late, somewhere in what the thread does next, and by {@link #awaitFaults} at the
 * latest.
 */
public final class Mapping implements AutoCloseable {
  private final MemorySegment segment;
  private final AtomicBoolean closed = new AtomicBoolean();

  Mapping(MemorySegment segment) {
    this.segment = segment;
  }

  /** The memory, for as long as this mapping is open. Read-only if it was mapped so. */
  public MemorySegment segment() {
    return segment;
  }

  /**
   * Returns once the JVM has thrown whatever loads and stores of this thread have met that could
   * not be done: it looks when a thread comes back from a call out of Java.
   *
   * @throws InternalError if something could not be done: a load gave anything, a store was left
   *     out
   */
  public static void awaitFaults() {
    Libc.nothing();
  }

  /** Takes the memory out of the address space, at once; again, does nothing. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      Libc.munmap(segment.address(), segment.byteSize());
    }
  }
}
