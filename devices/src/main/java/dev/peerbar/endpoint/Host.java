package dev.peerbar.endpoint;

import java.lang.foreign.MemorySegment;

/** What an endpoint is given. Every method is for the function's thread. */
public interface Host {

  /** The function's interrupt vectors. */
  Interrupts interrupts();

  /**
   * The bytes behind a memory BAR, or behind the mappable areas of a register BAR, at their offsets
   * in the BAR. Valid as long as the function, from any thread; clients may change it at any time.
   * Engines go through {@link Dma#local} so that a reset can wait for them.
   *
   * @throws IllegalArgumentException if the BAR has no memory
   */
  MemorySegment memory(int bar);

  /**
   * Zeroes the bytes behind a BAR, as {@link #memory} gives them. A host may do better than to
   * store every byte: the memory may be large and mostly untouched.
   *
   * @throws IllegalArgumentException if the BAR has no memory
   */
  default void zero(int bar) {
    memory(bar).fill((byte) 0);
  }

  /**
   * A new serial worker: jobs submitted to one engine run one after another, jobs of different
   * engines side by side.
   *
   * @param name for threads, logs and traces, unique within the function
   */
  Engine engine(String name);

  /**
   * Sets a doorbell register in a mappable area to zero without ringing it. Does nothing where
   * doorbells are trapped.
   *
   * @param offset of the register in the BAR, in bytes
   */
  void clearDoorbell(int bar, long offset);
}
