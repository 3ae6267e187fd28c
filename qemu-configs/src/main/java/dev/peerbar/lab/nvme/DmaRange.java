package dev.peerbar.lab.nvme;

import dev.peerbar.lab.guest.GuestAgent;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.vfio.Ioas;
import java.io.IOException;
import java.util.Objects;
import java.util.Optional;

/**
 * Memory that the guest's CPU and its devices both reach: RAM, or a device's BAR that is mapped
 * here and imported there. Offsets and lengths are in bytes.
 *
 * @param memory as the CPU sees it
 * @param offset of the first byte in there
 * @param address of the first byte as devices see it
 * @param length in bytes
 */
public record DmaRange(GuestMemory memory, long offset, long address, long length) {

  public DmaRange {
    Objects.checkFromIndexSize(offset, length, memory.length());
  }

  /** All of a mapping. */
  public static DmaRange of(GuestMemory memory, Ioas.Mapping mapping) {
    return new DmaRange(memory, 0, mapping.iova(), mapping.length());
  }

  /** A part. */
  public DmaRange slice(long from, long count) {
    Objects.checkFromIndexSize(from, count, length);
    return new DmaRange(memory, offset + from, address + from, count);
  }

  /** Copies bytes out. */
  public byte[] read(long from, int count) throws IOException {
    return memory.read(at(from, count), count);
  }

  /** Copies bytes in. */
  public void write(long from, byte[] bytes) throws IOException {
    memory.write(at(from, bytes.length), bytes);
  }

  /** One load of 8 bytes. */
  public long read64(long from) throws IOException {
    return memory.read64(at(from, Long.BYTES));
  }

  /** Zeroes all of it. */
  public void clear() throws IOException {
    memory.set(offset, length, 0);
  }

  /** Fills all of it with the {@link dev.peerbar.lab.guest.Pattern} of a seed. */
  public void fill(long seed) throws IOException {
    memory.fill(offset, length, seed);
  }

  /** The first word that is not the pattern's; empty if all are. */
  public Optional<GuestAgent.Mismatch> verify(long seed) throws IOException {
    return memory.verify(offset, length, seed);
  }

  private long at(long from, long count) {
    Objects.checkFromIndexSize(from, count, length);
    return offset + from;
  }
}
