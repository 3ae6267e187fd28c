package dev.peerbar.devices.gpu;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Where the bytes of a resource are: pieces of client memory, one behind another (struct
 * virtio_gpu_mem_entry, Virtual I/O Device 1.3, 5.7.6.8). Any memory that the client has mapped may
 * be among them, a peer's BAR for one. Never changes.
 */
final class Backing {
  private final int entries;
  private final long[] addresses;

  /** For each piece, the offset of the first byte behind it. */
  private final long[] ends;

  private Backing(int entries, long[] addresses, long[] ends) {
    this.entries = entries;
    this.addresses = addresses;
    this.ends = ends;
  }

  /** A list that is being read. */
  static final class Builder {
    private final int entries;
    private final long[] addresses;
    private final long[] ends;
    private int pieces;

    /**
     * @param entries the most that will be added, at least 1
     */
    Builder(int entries) {
      this.entries = entries;
      addresses = new long[entries];
      ends = new long[entries];
    }

    /**
     * Adds an entry; one that goes on where the last one ends is part of that.
     *
     * @param address IOVA, unsigned
     * @param length in bytes, unsigned 32 bits
     * @throws CommandException if it goes around the end of the address space
     */
    void add(long address, long length) throws CommandException {
      if (length == 0) {
        return;
      }
      if (Long.compareUnsigned(address + (length - 1), address) < 0) {
        throw new CommandException(ResponseType.ERR_INVALID_PARAMETER);
      }
      long size = size();
      // Not around the end of the address space, where address 0 is what follows.
      if (pieces > 0
          && address != 0
          && addresses[pieces - 1] + (size - start(pieces - 1)) == address) {
        ends[pieces - 1] += length;
        return;
      }
      addresses[pieces] = address;
      ends[pieces] = size + length;
      pieces++;
    }

    private long start(int piece) {
      return piece == 0 ? 0 : ends[piece - 1];
    }

    private long size() {
      return start(pieces);
    }

    Backing build() {
      return new Backing(entries, Arrays.copyOf(addresses, pieces), Arrays.copyOf(ends, pieces));
    }
  }

  /** In bytes. */
  long size() {
    return ends.length == 0 ? 0 : ends[ends.length - 1];
  }

  /** What it counts as of what a driver may have. */
  long hostBytes() {
    return HostMemory.ofEntries(entries);
  }

  /**
   * Reads bytes.
   *
   * @param offset of the first one; with the length within {@link #size}
   * @throws CommandException if one of them cannot be read: that is an error of this command's, and
   *     no reason to give up on the device
   */
  void read(Dma dma, long offset, MemorySegment into) throws CommandException, JobEndedException {
    int found = Arrays.binarySearch(ends, offset + 1);
    int piece = found >= 0 ? found : -found - 1;
    try {
      for (long done = 0; done < into.byteSize(); piece++) {
        long at = offset + done;
        long bytes = Math.min(ends[piece] - at, into.byteSize() - done);
        long start = piece == 0 ? 0 : ends[piece - 1];
        dma.read(addresses[piece] + (at - start), into.asSlice(done, bytes));
        done += bytes;
      }
    } catch (DmaFaultException _) {
      throw new CommandException(ResponseType.ERR_UNSPEC);
    }
  }
}
