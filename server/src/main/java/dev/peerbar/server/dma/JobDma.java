package dev.peerbar.server.dma;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.linux.LinuxException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/**
 * Bus mastering by one job: walks a range of IOVAs in steps. A step of direct memory copies what
 * lies in many mappings, so many bytes at most, inside the {@link Gate}; a step of other memory is
 * a {@link MessageTransfer} within one mapping.
 */
final class JobDma implements Dma {
  /**
   * The most bytes that one step copies directly: what a revocation may have to wait for. Some tens
   * of microseconds, long enough for the gate to cost nothing.
   */
  static final long STEP = 256 << 10;

  private final BusMaster bus;
  private final JobLife job;
  private final Bounce bounce;
  private final Cursor source;
  private final Cursor target;
  private Progress progress = new Progress();

  JobDma(BusMaster bus, JobLife job, Bounce bounce) {
    this.bus = bus;
    this.job = job;
    this.bounce = bounce;
    source = new Cursor(bus.table());
    target = new Cursor(bus.table());
  }

  /** How far a call has come, and on which ways. Kept when the call fails. */
  static final class Progress {
    long moved;
    boolean direct;
    boolean messages;
  }

  /** What the next call writes its progress to. */
  Progress startProgress() {
    progress = new Progress();
    return progress;
  }

  @Override
  public void read(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
    transfer(Access.READ, iova, into, into.byteSize());
  }

  @Override
  public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
    // What this write announces must be visible before it: the order of earlier stores holds.
    VarHandle.releaseFence();
    transfer(Access.WRITE, iova, from, from.byteSize());
  }

  private void transfer(Access access, long iova, MemorySegment memory, long length)
      throws DmaFaultException, JobEndedException {
    long done = 0;
    while (done < length) {
      long moved = directStep(access, iova + done, memory, done);
      if (moved == 0) {
        moved = messageStep(access, iova + done, memory, done);
      }
      done += moved;
      progress.moved = done;
    }
  }

  /** Returns the bytes moved, or 0 if the memory at the address can be reached by messages only. */
  private long directStep(Access access, long address, MemorySegment memory, long done)
      throws DmaFaultException, JobEndedException {
    Cursor cursor = access == Access.READ ? source : target;
    long length = Math.min(STEP, memory.byteSize() - done);
    long moved = 0;
    bus.gate().enter();
    try {
      job.check();
      Extent extent = bus.permit(cursor.at(address), access, address, done);
      while (extent.direct()) {
        long part = Math.min(length - moved, extent.remaining(address + moved));
        move(access, extent, address + moved, memory, done + moved, part);
        moved += part;
        if (moved == length) {
          break;
        }
        extent = cursor.at(address + moved);
        if (!permitted(extent, access)) {
          // The next step faults, and tells the address.
          break;
        }
      }
      return moved;
    } finally {
      bus.gate().exit();
    }
  }

  private void move(
      Access access, Extent extent, long address, MemorySegment memory, long at, long length)
      throws DmaFaultException {
    long offset = extent.fileOffset(address);
    boolean moved =
        access == Access.READ
            ? read(extent, offset, memory, at, length)
            : write(extent, offset, memory, at, length);
    if (access == Access.WRITE) {
      // A write that failed may have changed a part.
      bus.written(address, length);
    }
    if (!moved) {
      throw new DmaFaultException(access, Reason.CLIENT_FAILED, address, at);
    }
    progress.direct = true;
  }

  private boolean read(Extent extent, long offset, MemorySegment into, long at, long length) {
    MemorySegment memory = extent.memory();
    if (memory != null) {
      MemorySegment.copy(memory, offset, into, at, length);
      return true;
    }
    return extent.file() instanceof ClientFile.Guarded guarded
        ? guarded.read(offset, into, at, length, bounce)
        : ((ClientFile.ByDescriptor) extent.file()).read(offset, into, at, length);
  }

  private boolean write(Extent extent, long offset, MemorySegment from, long at, long length) {
    MemorySegment memory = extent.memory();
    if (memory != null) {
      MemorySegment.copy(from, at, memory, offset, length);
      return true;
    }
    return extent.file() instanceof ClientFile.Guarded guarded
        ? guarded.write(offset, from, at, length, bounce)
        : ((ClientFile.ByDescriptor) extent.file()).write(offset, from, at, length);
  }

  private long messageStep(Access access, long address, MemorySegment memory, long done)
      throws DmaFaultException, JobEndedException {
    long length;
    bus.gate().enter();
    try {
      Extent extent = bus.permit(bus.table().find(address), access, address, done);
      length = Math.min(memory.byteSize() - done, extent.remaining(address));
    } finally {
      bus.gate().exit();
    }
    Optional<MessagePath> path = bus.messages();
    if (path.isEmpty()) {
      throw new DmaFaultException(access, Reason.CLIENT_FAILED, address, done);
    }
    progress.messages = true;
    MessageTransfer transfer =
        new MessageTransfer(
            bus,
            job,
            path.get(),
            bus.messageLimits(),
            access,
            address,
            memory.asSlice(done, length));
    try {
      transfer.run(done);
    } catch (JobEndedException ended) {
      progress.moved = done + transfer.moved();
      throw ended;
    }
    return length;
  }

  @Override
  public void copy(long fromIova, long toIova, long length)
      throws DmaFaultException, JobEndedException {
    long done = 0;
    while (done < length) {
      long moved = directCopyStep(fromIova + done, toIova + done, length - done, done);
      if (moved == 0) {
        try {
          moved = bounceStep(fromIova + done, toIova + done, length - done, done);
        } finally {
          // Its two halves counted for themselves.
          progress.moved = done;
        }
      }
      done += moved;
      progress.moved = done;
    }
  }

  /** Returns the bytes copied, or 0 if the two ends do not meet in this process. */
  private long directCopyStep(long from, long to, long limit, long done)
      throws DmaFaultException, JobEndedException {
    long length = Math.min(STEP, limit);
    long moved = 0;
    bus.gate().enter();
    try {
      job.check();
      Extent read = bus.permit(source.at(from), Access.READ, from, done);
      Extent written = bus.permit(target.at(to), Access.WRITE, to, done);
      while (read.mapped() && written.mapped()) {
        long reachable = Math.min(read.remaining(from + moved), written.remaining(to + moved));
        long part = Math.min(length - moved, reachable);
        Access failed = copy(read, from + moved, written, to + moved, part);
        bus.written(to + moved, part);
        if (failed != null) {
          long address = failed == Access.READ ? from : to;
          throw new DmaFaultException(failed, Reason.CLIENT_FAILED, address + moved, done + moved);
        }
        progress.direct = true;
        moved += part;
        if (moved == length) {
          break;
        }
        read = source.at(from + moved);
        written = target.at(to + moved);
        if (!permitted(read, Access.READ) || !permitted(written, Access.WRITE)) {
          // The next step faults, and tells the address.
          break;
        }
      }
      return moved;
    } finally {
      bus.gate().exit();
    }
  }

  /** Returns null if all was copied, or what could not be done. */
  private Access copy(Extent from, long fromAddress, Extent to, long toAddress, long length) {
    long offset = from.fileOffset(fromAddress);
    long targetOffset = to.fileOffset(toAddress);
    if (to.memory() != null) {
      return read(from, offset, to.memory(), targetOffset, length) ? null : Access.READ;
    }
    if (from.memory() != null) {
      return write(to, targetOffset, from.memory(), offset, length) ? null : Access.WRITE;
    }
    ClientFile.Guarded source = (ClientFile.Guarded) from.file();
    return source.copy(offset, (ClientFile.Guarded) to.file(), targetOffset, length);
  }

  private static boolean permitted(Extent extent, Access access) {
    return extent != null && extent.permits(access);
  }

  private long bounceStep(long from, long to, long limit, long done)
      throws DmaFaultException, JobEndedException {
    MemorySegment part;
    try {
      part = bounce.take(limit);
    } catch (LinuxException _) {
      throw new DmaFaultException(Access.READ, Reason.CLIENT_FAILED, from, done);
    }
    DmaFaultException readFault = null;
    try {
      read(from, part);
    } catch (DmaFaultException fault) {
      readFault = fault;
      part = part.asSlice(0, fault.transferred());
    }
    try {
      write(to, part);
    } catch (DmaFaultException fault) {
      throw moved(fault, done);
    }
    if (readFault != null) {
      throw moved(readFault, done);
    }
    return part.byteSize();
  }

  private static DmaFaultException moved(DmaFaultException fault, long before) {
    return new DmaFaultException(
        fault.access(), fault.reason(), fault.iova(), before + fault.transferred());
  }

  @Override
  public void local(MemorySegment from, MemorySegment to) throws JobEndedException {
    long length = from.byteSize();
    progress.direct = length > 0;
    for (long done = 0; done < length; done += STEP) {
      progress.moved = done;
      long step = Math.min(STEP, length - done);
      bus.gate().enter();
      try {
        job.check();
        MemorySegment.copy(from, done, to, done, step);
      } finally {
        bus.gate().exit();
      }
    }
    progress.moved = length;
  }
}
