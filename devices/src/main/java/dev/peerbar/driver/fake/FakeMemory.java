package dev.peerbar.driver.fake;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.TreeMap;

/** Client memory: segments by IOVA. For one thread. */
final class FakeMemory {
  private final TreeMap<Long, Mapping> mappings = new TreeMap<>(Long::compareUnsigned);

  /** What polled work must leave alone, by its first byte, and how many bytes it has. */
  private final TreeMap<Long, Long> byMessages = new TreeMap<>(Long::compareUnsigned);

  private boolean busMaster = true;
  private boolean mustWait;

  private record Mapping(MemorySegment bytes, boolean readable, boolean writable) {}

  void map(long iova, MemorySegment bytes, boolean readable, boolean writable) {
    mappings.put(iova, new Mapping(bytes, readable, writable));
  }

  void byMessages(long iova, long bytes) {
    byMessages.put(iova, bytes);
  }

  void inPlace(long iova) {
    byMessages.remove(iova);
  }

  void unmap(long iova) {
    mappings.remove(iova);
  }

  void busMaster(boolean enabled) {
    busMaster = enabled;
  }

  void mustWait(boolean on) {
    mustWait = on;
  }

  boolean mustWait() {
    return mustWait;
  }

  /**
   * The bytes at an IOVA, up to the end of their mapping.
   *
   * @param done bytes before it that were moved
   * @param inPlace whether for polled work
   */
  MemorySegment find(DmaFaultException.Access access, long iova, long done, boolean inPlace)
      throws DmaFaultException, JobEndedException {
    if (!busMaster) {
      throw new DmaFaultException(access, DmaFaultException.Reason.BUS_MASTER_DISABLED, iova, done);
    }
    Map.Entry<Long, Mapping> below = mappings.floorEntry(iova);
    if (!reaches(below, iova)) {
      throw new DmaFaultException(access, DmaFaultException.Reason.UNMAPPED, iova, done);
    }
    Mapping mapping = below.getValue();
    if (access == DmaFaultException.Access.READ ? !mapping.readable : !mapping.writable) {
      throw new DmaFaultException(access, DmaFaultException.Reason.NOT_PERMITTED, iova, done);
    }
    MemorySegment bytes = mapping.bytes.asSlice(iova - below.getKey());
    if (!inPlace) {
      return bytes;
    }
    long direct = direct(iova, bytes.byteSize());
    if (direct == 0) {
      throw MustWaitException.INSTANCE;
    }
    return bytes.asSlice(0, direct);
  }

  /** How many bytes at an IOVA polled work may touch before one that it must not. */
  private long direct(long iova, long length) {
    Map.Entry<Long, Long> below = byMessages.floorEntry(iova);
    if (below != null && Long.compareUnsigned(iova - below.getKey(), below.getValue()) < 0) {
      return 0;
    }
    Long above = byMessages.higherKey(iova);
    return above == null || Long.compareUnsigned(above - iova, length) > 0 ? length : above - iova;
  }

  boolean mayWait(long iova, long length) {
    return mustWait || direct(iova, length) < length;
  }

  private static boolean reaches(Map.Entry<Long, Mapping> mapping, long iova) {
    return mapping != null
        && Long.compareUnsigned(iova - mapping.getKey(), mapping.getValue().bytes.byteSize()) < 0;
  }
}
