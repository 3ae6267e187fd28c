package dev.peerbar.server.dma;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/**
 * Bus mastering by one job: walks a range of IOVAs in steps. A step of direct memory copies what
 * lies in many mappings, so many bytes at most, inside the {@link Gate}; a step of other memory is
 * one of the {@link SlowPieces} or a {@link MessageTransfer}, within one extent.
 *
 * <p>A job on the function's thread needs no gate: that thread makes the changes. What is not
 * direct there, or long, throws {@link MustWaitException}.
 */
final class JobDma implements Dma {
  /**
   * The most bytes that one step copies directly: what a revocation may have to wait for. Some tens
   * of microseconds, long enough for the gate to cost nothing.
   */
  static final long STEP = 256 << 10;

  /** The most bytes of a call on the function's thread: it takes no longer than waking another. */
  private static final long MOST_IN_PLACE = 128 << 10;

  private final BusMaster bus;
  private final JobState job;
  private final Bounce bounce;
  private final boolean inPlace;
  // Null unless memory is trusted that a client could take away.
  private final Runnable betrayed;
  private final Cursor source;
  private final Cursor target;
  private Progress progress = new Progress();

  /**
   * @param inPlace whether all calls are made on the function's thread
   */
  JobDma(BusMaster bus, JobState job, Bounce bounce, boolean inPlace) {
    this.bus = bus;
    this.job = job;
    this.bounce = bounce;
    this.inPlace = inPlace;
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
    read(iova, into, 0, into.byteSize());
  }

  @Override
  public void read(long iova, MemorySegment into, long offset, long length)
      throws DmaFaultException, JobEndedException {
    transfer(Access.READ, iova, into, offset, length);
  }

  @Override
  public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
    write(iova, from, 0, from.byteSize());
  }

  @Override
  public void write(long iova, MemorySegment from, long offset, long length)
      throws DmaFaultException, JobEndedException {
    // What this write announces must be visible before it: the order of earlier stores holds.
    VarHandle.releaseFence();
    transfer(Access.WRITE, iova, from, offset, length);
  }

  @Override
  public void writeFlagged(long iova, MemorySegment from, long flagOffset, long flagBytes)
      throws DmaFaultException, JobEndedException {
    if (!writeAtOnce(iova, from, flagOffset, flagBytes)) {
      Dma.super.writeFlagged(iova, from, flagOffset, flagBytes);
    }
  }

  /** Writes what lies in one mapping that can simply be touched. Returns false if it does not. */
  private boolean writeAtOnce(long iova, MemorySegment from, long flagOffset, long flagBytes)
      throws DmaFaultException, JobEndedException {
    long length = from.byteSize();
    long restOffset = flagOffset == 0 ? flagBytes : 0;
    VarHandle.releaseFence();
    enter();
    try {
      job.check();
      Extent extent = bus.permit(target.at(iova), Access.WRITE, iova, 0);
      MemorySegment memory = extent.memory();
      if (memory == null || extent.remaining(iova) < length) {
        return false;
      }
      long offset = extent.fileOffset(iova);
      MemorySegment.copy(from, restOffset, memory, offset + restOffset, length - flagBytes);
      VarHandle.releaseFence();
      MemorySegment.copy(from, flagOffset, memory, offset + flagOffset, flagBytes);
      bus.written(iova, length);
      progress.direct = true;
      progress.moved = length;
      return true;
    } catch (InternalError e) {
      throw fault(e);
    } finally {
      leave();
    }
  }

  private void enter() {
    if (!inPlace) {
      bus.gate().enter();
    }
  }

  private void exit() {
    if (!inPlace) {
      bus.gate().exit();
    }
  }

  private void judge(long length) throws JobEndedException {
    if (inPlace && length > MOST_IN_PLACE) {
      throw MustWaitException.INSTANCE;
    }
  }

  private void transfer(Access access, long iova, MemorySegment memory, long offset, long length)
      throws DmaFaultException, JobEndedException {
    judge(length);
    long done = 0;
    while (done < length) {
      long moved = directStep(access, iova + done, memory, offset + done, length - done, done);
      if (moved == 0) {
        MemorySegment rest = memory.asSlice(offset + done, length - done);
        moved = longStep(access, iova + done, rest, done);
      }
      done += moved;
      progress.moved = done;
    }
  }

  /**
   * Moves a part of a range.
   *
   * @param offset where in the segment
   * @param limit bytes that are left of the range
   * @param done bytes before it
   * @return the bytes moved, or 0 if the memory at the address is not mapped into this process
   */
  private long directStep(
      Access access, long address, MemorySegment memory, long offset, long limit, long done)
      throws DmaFaultException, JobEndedException {
    Cursor cursor = access == Access.READ ? source : target;
    long length = Math.min(STEP, limit);
    long moved = 0;
    enter();
    try {
      job.check();
      Extent extent = bus.permit(cursor.at(address), access, address, done);
      while (extent.mapped()) {
        long part = Math.min(length - moved, extent.remaining(address + moved));
        move(access, extent, address + moved, memory, offset + moved, part, done + moved);
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
      exit();
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
      Access access,
      Extent extent,
      long address,
      MemorySegment memory,
      long at,
      long length,
      long done)
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
      throw new DmaFaultException(access, Reason.CLIENT_FAILED, address, done);
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

  /**
   * A step that may take long, within one extent.
   *
   * @param memory all that is left of the range
   * @param done bytes before it
   * @return the bytes moved
   */
  private long longStep(Access access, long address, MemorySegment memory, long done)
      throws DmaFaultException, JobEndedException {
    long length;
    long offset = 0;
    ClientFile.Slow file = null;
    SlowPieces.Piece piece = null;
    enter();
    try {
      job.check();
      Extent extent = bus.permit(bus.table().find(address), access, address, done);
      if (inPlace) {
        throw MustWaitException.INSTANCE;
      }
      length = Math.min(memory.byteSize(), extent.remaining(address));
      if (extent.file() instanceof ClientFile.Slow slow) {
        file = slow;
        offset = extent.fileOffset(address);
        piece = bus.gate().slowPieces().begin();
      } else if (extent.mapped()) {
        // Mapped anew meanwhile.
        return 0;
      }
    } finally {
      exit();
    }
    if (file == null) {
      return messageStep(access, address, memory.asSlice(0, length), done);
    }
    try {
      long part = Math.min(STEP, length);
      boolean moved =
          access == Access.READ
              ? slowRead(file, offset, memory.asSlice(0, part))
              : slowWrite(file, offset, memory.asSlice(0, part), address);
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
    enter();
    try {
      job.check();
      MemorySegment.copy(own, 0, into, 0, length);
      return true;
    } finally {
      exit();
    }
  }

  private boolean slowWrite(ClientFile.Slow file, long offset, MemorySegment from, long address)
      throws LinuxException, JobEndedException {
    long length = from.byteSize();
    MemorySegment own = from;
    if (!bounce.has(from)) {
      own = bounce.take(length);
      enter();
      try {
        job.check();
        MemorySegment.copy(from, 0, own, 0, length);
      } finally {
        exit();
      }
    }
    try {
      return file.write(offset, own, 0, length);
    } finally {
      enter();
      try {
        bus.written(address, length);
      } finally {
        exit();
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
    judge(length);
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
    enter();
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
    judge(length);
    progress.direct = length > 0;
    for (long done = 0; done < length; done += STEP) {
      progress.moved = done;
      long step = Math.min(STEP, length - done);
      enter();
      try {
        job.check();
        MemorySegment.copy(from, done, to, done, step);
      } finally {
        exit();
      }
    }
    progress.moved = length;
  }

  @Override
  public boolean mayWait(long iova, long length) {
    enter();
    try {
      for (long done = 0; done < length; ) {
        Extent extent = source.at(iova + done);
        if (extent == null) {
          return false;
        }
        if (!extent.mapped()) {
          return true;
        }
        done += Math.min(length - done, extent.remaining(iova + done));
      }
      return false;
    } finally {
      exit();
    }
  }

  @Override
  public void takesLong() throws JobEndedException {
    if (inPlace) {
      throw MustWaitException.INSTANCE;
    }
  }
}
