package dev.peerbar.endpoint;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

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
   * A new timer, disarmed.
   *
   * @param action what is to happen; on the function's thread
   * @param failed told what the action threw, by a mistake of its author's or for want of memory;
   *     the endpoint shows it as an error of the device. The host has logged it
   */
  Timer timer(Runnable action, Consumer<Throwable> failed);

  /**
   * A new timer for whose failure the endpoint has no error to show: the host does then what it
   * does when an access to a register fails, and hangs up on the client.
   */
  default Timer timer(Runnable action) {
    return timer(
        action,
        cause -> {
          throw new IllegalStateException("a timer's action failed", cause);
        });
  }

  /**
   * Sets a doorbell register in a mappable area to zero without ringing it. Does nothing where
   * doorbells are trapped.
   *
   * @param offset of the register in the BAR, in bytes
   */
  void clearDoorbell(int bar, long offset);

  /**
   * Has the next store to a doorbell in memory shared with the client ring, even if it is of the
   * value that was stored last: for drivers that store only now and then. What the register reads
   * as until then is anything. For the function's thread.
   */
  default void expectDoorbell(int bar, long offset) {}
}
