package dev.peerbar.protocol.client;

import dev.peerbar.linux.Errno;
import io.netty.buffer.ByteBuf;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Memory of a client by address, without what is not there: accesses that leave it fail with {@link
 * Errno#EFAULT}, and so do writes of read-only segments. An access is inside one segment.
 *
 * <p>For any thread.
 */
public final class DmaMemory implements DmaHandler {
  private final ConcurrentSkipListMap<Long, MemorySegment> segments =
      new ConcurrentSkipListMap<>(Long::compareUnsigned);

  /**
   * Puts memory somewhere, instead of any that begins there.
   *
   * @param memory accessible from every thread, as long as it is here
   */
  public void put(long address, MemorySegment memory) {
    segments.put(address, memory);
  }

  /** Takes away the memory that begins at the address. */
  public void remove(long address) {
    segments.remove(address);
  }

  @Override
  public void read(long address, int count, ByteBuf into) throws RefusedException {
    into.writeBytes(find(address, count).asByteBuffer());
  }

  @Override
  public void write(long address, ByteBuf data) throws RefusedException {
    MemorySegment memory = find(address, data.readableBytes());
    if (memory.isReadOnly()) {
      throw new RefusedException(Errno.EFAULT);
    }
    data.getBytes(data.readerIndex(), memory.asByteBuffer());
  }

  private MemorySegment find(long address, int count) throws RefusedException {
    Map.Entry<Long, MemorySegment> entry = segments.floorEntry(address);
    if (entry == null) {
      throw new RefusedException(Errno.EFAULT);
    }
    long offset = address - entry.getKey();
    long size = entry.getValue().byteSize();
    if (Long.compareUnsigned(offset, size) > 0 || count > size - offset) {
      throw new RefusedException(Errno.EFAULT);
    }
    return entry.getValue().asSlice(offset, count);
  }
}
