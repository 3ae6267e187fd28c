package dev.peerbar.devices.gpu;

import dev.peerbar.devices.gpu.GpuStructs.MemEntry;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.engine.Scratch;
import dev.peerbar.virtio.VirtioRequest;
import java.lang.foreign.MemorySegment;

/**
 * Reads the entries of a backing, which follow the fixed part of a request (struct
 * virtio_gpu_mem_entry, Virtual I/O Device 1.3, 5.7.6.8). For the engine's thread.
 */
final class EntryReader {
  private final Scratch scratch;
  private final int pieceBytes;
  private final int most;

  /**
   * @param pieceBytes of the scratch memory, a multiple of {@link #MemEntry.BYTES}
   * @param most entries of one backing
   */
  EntryReader(Scratch scratch, int pieceBytes, int most) {
    this.scratch = scratch;
    this.pieceBytes = pieceBytes;
    this.most = most;
  }

  /**
   * Reads them. What they need is looked for, and the caller's to {@link HostMemory#take}.
   *
   * @param offset of the first one in the request
   * @param count unsigned 32 bits
   * @throws CommandException if there are none, too many, or fewer than the driver says, or one is
   *     no range of addresses
   */
  Backing read(VirtioRequest request, Job job, int offset, long count, HostMemory memory)
      throws CommandException, DmaFaultException, JobEndedException {
    if (count == 0) {
      throw new CommandException(ResponseType.ERR_INVALID_PARAMETER);
    }
    if (count > most) {
      throw new CommandException(ResponseType.ERR_OUT_OF_MEMORY);
    }
    if (request.readable() - offset < count * MemEntry.BYTES) {
      throw new CommandException(ResponseType.ERR_UNSPEC);
    }
    memory.check(HostMemory.ofEntries(count));
    Backing.Builder builder = new Backing.Builder((int) count);
    long end = offset + count * MemEntry.BYTES;
    for (long at = offset; at < end; at += pieceBytes) {
      MemorySegment piece = scratch.first(Math.min(pieceBytes, end - at));
      request.read(job, at, piece);
      for (long entry = 0; entry < piece.byteSize(); entry += MemEntry.BYTES) {
        builder.add(
            piece.get(Fields.LONG, entry + MemEntry.ADDR),
            Integer.toUnsignedLong(piece.get(Fields.INT, entry + MemEntry.LENGTH)));
      }
    }
    return builder.build();
  }
}
