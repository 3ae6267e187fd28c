package dev.peerbar.server;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Random;

/** Memory of a client, in a file that it can share. */
final class GuestMemory implements AutoCloseable {
  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final long PAGE = 4096;

  private final FileDescriptor file;
  private final Mapping mapping;

  GuestMemory(String name, long size) throws LinuxException {
    file = SharedMemory.create(name, size);
    mapping = SharedMemory.map(file, 0, size, SharedMemory.Access.READ_WRITE);
  }

  FileDescriptor file() {
    return file;
  }

  MemorySegment bytes() {
    return mapping.segment();
  }

  GuestMemory randomise(long seed) {
    randomise(bytes(), seed);
    return this;
  }

  static void randomise(MemorySegment segment, long seed) {
    byte[] bytes = new byte[Math.toIntExact(segment.byteSize())];
    new Random(seed).nextBytes(bytes);
    segment.copyFrom(MemorySegment.ofArray(bytes));
  }

  @Override
  public void close() {
    mapping.close();
    file.close();
  }
}
