package dev.peerbar.server.storage;

import dev.peerbar.linux.LinuxException;
import java.lang.foreign.MemorySegment;

/** The calls of the system that an image takes. Each is whole or fails. For any thread. */
interface BlockFile extends AutoCloseable {
  /** How many bytes there are now. */
  long length() throws LinuxException;

  /**
   * @return bytes read; less than the segment holds only at the end of the file
   */
  long read(long position, MemorySegment into) throws LinuxException;

  /**
   * As {@link #read}, if the system has all of it at hand.
   *
   * @return false if it has not, or it cannot be read
   */
  default boolean readNow(long position, MemorySegment into) {
    return false;
  }

  void write(long position, MemorySegment from) throws LinuxException;

  /** Puts everything written on stable storage. */
  void sync() throws LinuxException;

  /**
   * @throws LinuxException EOPNOTSUPP if that is not possible here
   */
  void punchHole(long position, long length) throws LinuxException;

  /**
   * @throws LinuxException EOPNOTSUPP if that is not possible here
   */
  void zeroRange(long position, long length) throws LinuxException;

  @Override
  void close();
}
