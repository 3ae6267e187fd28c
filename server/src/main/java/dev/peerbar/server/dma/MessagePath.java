package dev.peerbar.server.dma;

import java.lang.foreign.MemorySegment;

/**
 * Client memory without a descriptor, reached with DMA_READ and DMA_WRITE messages: another
 * device's BAR, for one. All of it is for the function's thread.
 *
 * <p>The memory of an exchange is lent, not given. It is read ({@code from}) or written ({@code
 * into}) on the function's thread only, and not at all once the exchange has ended: when its {@link
 * Completion} is told, or when {@link Exchange#abandon} returns. One of the two comes to every
 * exchange, whatever the client does: the end of its connection fails what is left. From then on
 * the memory may be freed or used for something else.
 *
 * <p>A client that does not receive has messages wait. What waits is not copied, and is not yet
 * anything that the device did: before the first byte goes, {@link Completion#mayBegin} is asked
 * whether it still may, so that no message begins after the right to it has ended, and none that
 * was abandoned.
 */
public interface MessagePath {

  /**
   * What becomes of one message. {@link #done} and {@link #failed} are told never before the call
   * that began the exchange has returned, one of them once, and none once it was abandoned.
   */
  interface Completion {
    /**
     * Whether the message may still go, asked when the client takes its first byte: at once, within
     * the call that begins the exchange, or long after it; again if it did not take it. If not, it
     * is never sent, and {@link #failed} is told.
     */
    boolean mayBegin();

    /** The client did it; for a read, the bytes are in the segment. */
    void done();

    /** The client refused it or has gone, or it might not go. */
    void failed();
  }

  /** A message on its way. */
  interface Exchange {
    /**
     * Its completion will not be called, its reply is dropped when it comes, its memory is let go,
     * and if it has not begun to be sent it never is. One that has begun is sent to its end, from a
     * copy, so that the client does not lose framing: before any reply that follows if they share a
     * socket. On a socket of their own messages begin only if the socket takes them whole, so that
     * what comes there after the reply to a reset was begun after it.
     */
    void abandon();
  }

  /** The most bytes that one message may carry, as the client said. */
  int maxTransfer();

  /**
   * Asks for {@code into.byteSize()} bytes of client memory.
   *
   * @param into is written before {@link Completion#done}
   */
  Exchange read(long address, MemorySegment into, Completion completion);

  /**
   * Sends bytes to client memory.
   *
   * @param from native memory, to be left as it is until the exchange has ended
   */
  Exchange write(long address, MemorySegment from, Completion completion);
}
