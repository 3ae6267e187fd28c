package dev.peerbar.protocol;

import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.PrivateMemory;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.UnpooledDirectByteBuf;
import java.lang.foreign.MemorySegment;

/**
 * A direct buffer of zeros in address space of its own, for the few messages that are too long for
 * buffers that others wait for. It takes room only where it is written to, counts for nothing in
 * the limits of the JVM and of Netty, and its last release gives everything back.
 */
public final class MappedBuffer extends UnpooledDirectByteBuf {
  private final Mapping memory;

  private MappedBuffer(Mapping memory, int size) {
    super(ByteBufAllocator.DEFAULT, memory.segment().asByteBuffer(), size);
    this.memory = memory;
  }

  /**
   * Takes address space. All of the buffer is readable.
   *
   * @param size in bytes, positive
   * @throws LinuxException ENOMEM if there is no room for so much
   */
  public static MappedBuffer allocate(int size) throws LinuxException {
    MappedBuffer buffer = new MappedBuffer(PrivateMemory.map(size), size);
    buffer.writerIndex(size);
    return buffer;
  }

  /** The memory of the buffer, as long as the buffer is there. */
  public MemorySegment segment() {
    return memory.segment();
  }

  @Override
  protected void deallocate() {
    super.deallocate();
    memory.close();
  }
}
