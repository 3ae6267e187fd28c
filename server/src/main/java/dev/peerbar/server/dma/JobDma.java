package dev.peerbar.server.dma;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/**
 * Bus mastering by one job: walks a range of IOVAs in steps. A step of direct memory copies what
 * lies in many mappings, so many bytes at most, inside the {@link Gate}; a step of other memory is
 * one of the {@link SlowPieces} or a {@link MessageTransfer}, within one extent.
 */
final class JobDma implements Dma {
  /**
   * The most bytes that one step copies directly: what a revocation may have to wait for. Some tens
   * of microseconds, long enough for the gate to cost nothing.
   */
  static final long STEP = 256 << 10;

  private final BusMaster bus;
  private final JobState job;
  private final Bounce bounce;
  // Null unless memory is trusted that a client could take away.
  private final Runnable betrayed;
  private final Cursor source;
  private final Cursor target;
  private Progress progress = new Progress();

  JobDma(BusMaster bus, JobState job, Bounce bounce) {
    this.bus = bus;
    this.job = job;
    this.bounce = bounce;
    this.betrayed = bus.betrayed();
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
        moved = longStep(access, iova + done, memory, done);
      }
      done += moved;
      progress.moved = done;
    }
  }

  /** Returns the bytes moved, or 0 if the memory at the address is not mapped into this process. */
  private long directStep(Access access, long address, MemorySegment memory, long done)
      throws DmaFaultException, JobEndedException {
    Cursor cursor = access == Access.READ ? source : target;
    long length = Math.min(STEP, memory.byteSize() - done);
    long moved = 0;
    bus.gate().enter();
    try {
      job.check();
      Extent extent = bus.permit(cursor.at(address), access, address, done);
      while (extent.mapped()) {
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
    } catch (InternalError e) {
      throw fault(e);
    } finally {
      leave();
    }
  }

  /** Ends a step that touched memory of the client's. */
  private void leave() {
    try {
      if (betrayed != null) {
        // What could not be touched has to be known before anybody relies on it.
        Mapping.awaitFaults();
      }
    } catch (InternalError e) {
      throw fault(e);
    } finally {
      bus.gate().exit();
    }
  }

  /** The JVM's word for memory that is not there. */
  private InternalError fault(InternalError cause) {
    if (betrayed != null) {
      betrayed.run();
    }
    return cause;
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
    return ((ClientFile.Guarded) extent.file()).read(offset, into, at, length, bounce);
  }

  private boolean write(Extent extent, long offset, MemorySegment from, long at, long length) {
    MemorySegment memory = extent.memory();
    if (memory != null) {
      MemorySegment.copy(from, at, memory, offset, length);
      return true;
    }
    return ((ClientFile.Guarded) extent.file()).write(offset, from, at, length, bounce);
  }

  /** A step that may take long, within one extent. Returns the bytes moved. */
  private long longStep(Access access, long address, MemorySegment memory, long done)
      throws DmaFaultException, JobEndedException {
    long length;
    long offset = 0;
    ClientFile.Slow file = null;
    SlowPieces.Piece piece = null;
    bus.gate().enter();
    try {
      job.check();
      Extent extent = bus.permit(bus.table().find(address), access, address, done);
      length = Math.min(memory.byteSize() - done, extent.remaining(address));
      if (extent.file() instanceof ClientFile.Slow slow) {
        file = slow;
        offset = extent.fileOffset(address);
        piece = bus.gate().slowPieces().begin();
      } else if (extent.mapped()) {
        // Mapped anew meanwhile.
        return 0;
      }
    } finally {
      bus.gate().exit();
    }
    if (file == null) {
      return messageStep(access, address, memory.asSlice(done, length), done);
    }
    try {
      long part = Math.min(STEP, length);
      boolean moved =
          access == Access.READ
              ? slowRead(file, offset, memory.asSlice(done, part))
              : slowWrite(file, offset, memory.asSlice(done, part), address);
      if (!moved) {
        throw new DmaFaultException(access, Reason.CLIENT_FAILED, address, done);
      }
      progress.direct = true;
      return part;
    } catch (LinuxException _) {
      throw new DmaFaultException(access, Reason.CLIENT_FAILED, address, done);
    } finally {
      bus.gate().slowPieces().end(piece);
    }
  }

  private boolean slowRead(ClientFile.Slow file, long offset, MemorySegment into)
      throws LinuxException, JobEndedException {
    long length = into.byteSize();
    if (bounce.has(into)) {
      return file.read(offset, into, 0, length);
    }
    // The job may end meanwhile, and what its memory is used for then is not to be overwritten.
    MemorySegment own = bounce.take(length);
    if (!file.read(offset, own, 0, length)) {
      return false;
    }
    bus.gate().enter();
    try {
      job.check();
      MemorySegment.copy(own, 0, into, 0, length);
      return true;
    } finally {
      bus.gate().exit();
    }
  }

  private boolean slowWrite(ClientFile.Slow file, long offset, MemorySegment from, long address)
      throws LinuxException, JobEndedException {
    long length = from.byteSize();
    MemorySegment own = from;
    if (!bounce.has(from)) {
      own = bounce.take(length);
      bus.gate().enter();
      try {
        job.check();
        MemorySegment.copy(from, 0, own, 0, length);
      } finally {
        bus.gate().exit();
      }
    }
    try {
      return file.write(offset, own, 0, length);
    } finally {
      bus.gate().enter();
      try {
        bus.written(address, length);
      } finally {
        bus.gate().exit();
      }
    }
  }

  private long messageStep(Access access, long address, MemorySegment memory, long done)
      throws DmaFaultException, JobEndedException {
    Optional<MessagePath> path = bus.messages();
    if (path.isEmpty()) {
      throw new DmaFaultException(access, Reason.CLIENT_FAILED, address, done);
    }
    progress.messages = true;
    MessageTransfer transfer =
        new MessageTransfer(bus, job, path.get(), bus.messageLimits(), access, address, memory);
    try {
      transfer.run(done);
    } catch (JobEndedException ended) {
      progress.moved = done + transfer.moved();
      throw ended;
    }
    return memory.byteSize();
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
    } catch (InternalError e) {
      throw fault(e);
    } finally {
      leave();
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
