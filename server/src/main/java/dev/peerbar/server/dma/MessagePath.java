package dev.peerbar.server.dma;

import java.lang.foreign.MemorySegment;

/**
 * Client memory without a descriptor, reached with DMA_READ and DMA_WRITE messages: another
 * device's BAR, for one.
 */
public interface MessagePath {

  /**
   * The outcome of one message, told on the function's thread, never before the call that began the
   * exchange has returned, and not at all once it was abandoned.
   */
  interface Completion {
    /** The client did it; for a read, the bytes are in the segment. */
    void done();

    /** The client refused it or has gone. */
    void failed();
  }

  /** A message on its way. */
  interface Exchange {
    /**
     * Its completion will not be called, its reply is dropped when it comes, and if it has not been
     * sent yet it never is. For the function's thread.
     */
    void abandon();
  }

  /** The most bytes that one message may carry, as the client said. */
  int maxTransfer();

  /**
   * Asks for {@code into.byteSize()} bytes of client memory. For the function's thread; {@code
   * into} is written on that thread before {@link Completion#done}.
   */
  Exchange read(long address, MemorySegment into, Completion completion);

  /**
   * Sends bytes to client memory. For the function's thread; {@code from} is native memory and may
   * be read until the completion, or until it is garbage if that never comes.
   */
  Exchange write(long address, MemorySegment from, Completion completion);
}
