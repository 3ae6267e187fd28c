package dev.peerbar.server.dma;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;
import java.util.function.IntSupplier;

/**
 * One transfer by messages, within one mapping: cut into pieces, several of them on the wire at a
 * time if the client is quick. The engine waits; the function's thread sends and is told the
 * outcomes.
 */
final class MessageTransfer {
  /** The most bytes that one message writes, if the client takes as many. */
  static final int WRITE_PIECE = 64 << 10;

  /**
   * The most bytes that one message reads. QEMU believes a reply sent that its socket took in part
   * only. What fits in one buffer of a UNIX socket, which is a page and 32 KiB less some overhead,
   * is taken as a whole or not at all.
   */
  static final int READ_PIECE = 32 << 10;

  /** The most messages in flight. */
  static final int MOST_IN_FLIGHT = 8;

  /**
   * How long a quick client takes for a message. A slow one copies for that long, QEMU under the
   * lock that its vCPUs want too: with a second message waiting it takes the lock again before they
   * get it, and the guest crawls.
   */
  private static final long QUICK_NANOS = 1_000_000;

  private final BusMaster bus;
  private final JobLife job;
  private final MessagePath path;
  private final Access access;
  private final long address;
  private final MemorySegment memory;

  // Guarded by the job's monitor, which the end of the job notifies.
  private int inFlight;
  private long moved;
  private int window = 1;
  private long faultOffset = Long.MAX_VALUE;
  private Reason faultReason;

  MessageTransfer(
      BusMaster bus,
      JobLife job,
      MessagePath path,
      Access access,
      long address,
      MemorySegment memory) {
    this.bus = bus;
    this.job = job;
    this.path = path;
    this.access = access;
    this.address = address;
    this.memory = memory;
  }

  /**
   * Moves all of it. For the engine's thread.
   *
   * @param before bytes that the caller moved already, to count in a fault
   */
  void run(long before) throws DmaFaultException, JobEndedException {
    int piece = Math.min(access == Access.READ ? READ_PIECE : WRITE_PIECE, path.maxTransfer());
    for (long offset = 0; offset < memory.byteSize(); offset += piece) {
      if (!reserve()) {
        break;
      }
      long at = offset;
      MemorySegment part = memory.asSlice(at, Math.min(piece, memory.byteSize() - at));
      bus.functionThread().execute(() -> send(at, part));
    }
    synchronized (job) {
      awaitInFlight(() -> 0);
      if (faultReason != null) {
        throw new DmaFaultException(
            access, faultReason, address + faultOffset, before + faultOffset);
      }
    }
  }

  /** The bytes of the messages that were answered. */
  long moved() {
    synchronized (job) {
      return moved;
    }
  }

  /** Waits for a place on the wire. Returns false if there is no point in going on. */
  private boolean reserve() throws JobEndedException {
    synchronized (job) {
      awaitInFlight(() -> window - 1);
      if (faultReason != null) {
        return false;
      }
      inFlight++;
      return true;
    }
  }

  private void awaitInFlight(IntSupplier limit) throws JobEndedException {
    while (inFlight > limit.getAsInt() && !job.ended()) {
      try {
        job.wait();
      } catch (InterruptedException e) {
        // The engine is being shut down: as good as ended.
        Thread.currentThread().interrupt();
        throw new JobEndedException();
      }
    }
    job.check();
  }

  private void send(long offset, MemorySegment part) {
    if (job.ended()) {
      return;
    }
    if (bus.messages().filter(path::equals).isEmpty()) {
      // The client has gone, and another one may be here.
      finish(offset, Reason.CLIENT_FAILED);
      return;
    }
    try {
      // The mapping may have gone, and bus mastering may have been turned off, since the engine
      // looked; on this thread neither can change before the message is out.
      Extent found = bus.table().find(address + offset);
      Extent extent = bus.permit(found, access, address + offset, offset);
      if (extent.remaining(address + offset) < part.byteSize()) {
        // Mapped anew and smaller: the piece as a whole is not moved.
        finish(offset, Reason.UNMAPPED);
        return;
      }
    } catch (DmaFaultException fault) {
      finish(offset, fault.reason());
      return;
    }
    Piece completion = new Piece(offset, part.byteSize());
    completion.exchange =
        access == Access.READ
            ? path.read(address + offset, part, completion)
            : path.write(address + offset, part, completion);
    job.add(completion.exchange);
  }

  private void finish(long offset, Reason fault) {
    synchronized (job) {
      inFlight--;
      if (fault != null && offset < faultOffset) {
        faultOffset = offset;
        faultReason = fault;
      }
      job.notifyAll();
    }
  }

  private final class Piece implements MessagePath.Completion {
    private final long offset;
    private final long length;
    private final long sent = System.nanoTime();
    private MessagePath.Exchange exchange;

    Piece(long offset, long length) {
      this.offset = offset;
      this.length = length;
    }

    @Override
    public void done() {
      job.remove(exchange);
      synchronized (job) {
        boolean quick = System.nanoTime() - sent < QUICK_NANOS;
        moved += length;
        window = quick ? Math.min(window + 1, MOST_IN_FLIGHT) : 1;
      }
      finish(offset, null);
    }

    @Override
    public void failed() {
      job.remove(exchange);
      finish(offset, Reason.CLIENT_FAILED);
    }
  }
}
