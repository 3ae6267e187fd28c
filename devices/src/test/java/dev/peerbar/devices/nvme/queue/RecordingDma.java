package dev.peerbar.devices.nvme.queue;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Host memory from address 0 on, and a journal of what is moved. */
final class RecordingDma implements Dma {
  final MemorySegment ram;

  /** Such as "read 0x1000+16", "local+4096". */
  final List<String> journal = new ArrayList<>();

  RecordingDma(MemorySegment ram) {
    this.ram = ram;
  }

  private MemorySegment find(DmaFaultException.Access access, long iova, long length)
      throws DmaFaultException {
    if (iova < 0 || iova > ram.byteSize() - length) {
      throw new DmaFaultException(access, DmaFaultException.Reason.UNMAPPED, iova, 0);
    }
    return ram.asSlice(iova, length);
  }

  @Override
  public void read(long iova, MemorySegment into) throws DmaFaultException {
    journal.add("read 0x%x+%d".formatted(iova, into.byteSize()));
    into.copyFrom(find(DmaFaultException.Access.READ, iova, into.byteSize()));
  }

  @Override
  public void write(long iova, MemorySegment from) throws DmaFaultException {
    journal.add("write 0x%x+%d".formatted(iova, from.byteSize()));
    find(DmaFaultException.Access.WRITE, iova, from.byteSize()).copyFrom(from);
  }

  @Override
  public void copy(long fromIova, long toIova, long length) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void local(MemorySegment from, MemorySegment to) {
    journal.add("local+%d".formatted(from.byteSize()));
    to.copyFrom(from);
  }
}
