package dev.peerbar.storage;

import java.lang.foreign.MemorySegment;

/**
 * Bytes of a fixed size that outlive the resets of the endpoint in front of them.
 *
 * <p>Any thread may call every method at any time. Every block of {@value #ATOMIC_BLOCK} bytes,
 * aligned, is atomic: a reader sees it as it was before or after any write, zero or discard, never
 * a mixture. Of several blocks in one call each is atomic by itself, in no given order. Positions
 * and lengths are bytes within {@link #size}, and multiples of {@value #SECTOR}; anything else is
 * the caller's mistake.
 *
 * <p>A call that fails with a {@link StorageException} may have done a part of its work.
 */
public interface Storage extends AutoCloseable {
  /** What is atomic, in bytes. */
  int ATOMIC_BLOCK = 4096;

  /** Sizes, positions and lengths are multiples of this many bytes. */
  int SECTOR = 512;

  /** How many bytes there are; never changes. */
  long size();

  /**
   * Fills a segment with what is there.
   *
   * @param position in bytes
   * @throws StorageException if it cannot be read; the segment's content is undefined then
   * @throws IndexOutOfBoundsException for a range that is not within the storage
   */
  void read(long position, MemorySegment into) throws StorageException;

  /** Whoever takes what is there from where it is. */
  @FunctionalInterface
  interface Taker<X extends Exception> {

    /**
     * @param memory of which the bytes from the offset on are what was asked for, until this
     *     returns; not to be written. Others that write there wait meanwhile
     */
    void take(MemorySegment memory, long offset) throws X;
  }

  /**
   * Shows what is there without a copy of it, if that can be, and without waiting.
   *
   * @param position in bytes
   * @param length in bytes
   * @param taker does not wait for anything
   * @return false if it cannot be, and nothing was shown
   * @throws IndexOutOfBoundsException for a range that is not within the storage
   */
  default <X extends Exception> boolean show(long position, long length, Taker<X> taker) throws X {
    return false;
  }

  /**
   * As {@link #read}, unless that would have to wait: for a disk, or for another thread.
   *
   * @return false if it would, and the segment's content is undefined
   */
  default boolean readNow(long position, MemorySegment into) throws StorageException {
    return false;
  }

  /**
   * As {@link #write}, unless that would have to wait: for a disk, or for another thread.
   *
   * @return false if it would, and nothing was written
   */
  default boolean writeNow(long position, MemorySegment from, boolean durable)
      throws StorageException {
    return false;
  }

  /**
   * Replaces what is there. Later reads, of any thread, see it.
   *
   * @param position in bytes
   * @param durable whether it is on stable storage when this returns (NVMe's Force Unit Access)
   * @throws StorageException if it cannot be written, or not made durable
   * @throws IndexOutOfBoundsException for a range that is not within the storage
   */
  void write(long position, MemorySegment from, boolean durable) throws StorageException;

  /**
   * Puts everything that was written before the call began on stable storage. Once this has failed
   * something that was written may be lost, so it fails ever after.
   *
   * @throws StorageException if not all of it is on stable storage
   */
  void flush() throws StorageException;

  /**
   * Makes the beginning of a range read as zeros: as much of it as can be had in a short time, so
   * that whoever has to may give up before the rest.
   *
   * @param position in bytes
   * @param length in bytes
   * @param deallocate whether the room it takes may be given back, as far as that is possible
   * @return how many bytes are zeros now: all of them, or some up to a multiple of {@value
   *     #ATOMIC_BLOCK}
   * @throws StorageException if it cannot be written
   * @throws IndexOutOfBoundsException for a range that is not within the storage
   */
  long zero(long position, long length, boolean deallocate) throws StorageException;

  /**
   * Says that what the beginning of a range holds is of no use any more, so that the room it takes
   * can be given back; as much of it at a time as with {@link #zero}. Every block within it reads
   * as zeros afterwards, or is as it was where nothing can be given back; parts of blocks at the
   * ends of the range always stay as they were.
   *
   * @param position in bytes
   * @param length in bytes
   * @return how many bytes that is true of: all of them, or some up to a multiple of {@value
   *     #ATOMIC_BLOCK}
   * @throws StorageException if storage failed; that it cannot give room back is no failure
   * @throws IndexOutOfBoundsException for a range that is not within the storage
   */
  long discard(long position, long length) throws StorageException;

  /**
   * Whether every whole block of a range that was discarded reads as zeros from then on, as opposed
   * to what was there before.
   */
  boolean readsZerosAfterDiscard();

  /**
   * Whether a call may take longer than moving its bytes does: wait for a disk, for one. Does not
   * wait itself.
   */
  boolean mayWait();

  /**
   * Gives up what the storage stands on. Does not {@link #flush}: what was written stays written,
   * but only what was flushed survives the machine. Other calls that begin from now on throw {@link
   * IllegalStateException}; those under way come to their ends. Again, does nothing.
   */
  @Override
  void close();
}
