package dev.peerbar.server.dma;

import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;

/**
 * One transfer by messages, within one mapping: cut into pieces, several of them on the wire at a
 * time if the client is quick. The function's thread sends the next piece when it is told what
 * became of one; the engine waits for the end.
 */
final class MessageTransfer {
  /**
   * How long a quick client takes for a message. A slow one copies for that long, QEMU under the
   * lock that its vCPUs want too: with a second message waiting it takes the lock again before they
   * get it, and the guest crawls.
   */
  private static final long QUICK_NANOS = 1_000_000;

  private final BusMaster bus;
  private final JobState job;
  private final MessagePath path;
  private final Access access;
  private final long address;
  private final MemorySegment memory;
  private final int pieceBytes;
  private final int mostInFlight;

  // For the function's thread.
  private long sent;
  private int inFlight;
  private int window = 1;
  private long faultOffset = Long.MAX_VALUE;
  private Reason faultReason;

  // Written by the function's thread: the bytes of the messages that were answered, and whether
  // all has come to an end, of which the job's monitor is notified.
  private volatile long moved;
  private boolean over;

  /** What sending threw, by a mistake or for want of memory; null as long as all is well. */
  private Throwable broken;

  /**
   * @param limits what one message may carry, and how many there may be
   */
  MessageTransfer(
      BusMaster bus,
      JobState job,
      MessagePath path,
      MessageLimits limits,
      Access access,
      long address,
      MemorySegment memory) {
    this.bus = bus;
    this.job = job;
    this.path = path;
    this.access = access;
    this.address = address;
    this.memory = memory;
    int most = access == Access.READ ? limits.readBytes() : limits.writeBytes();
    this.pieceBytes = Math.min(most, path.maxTransfer());
    this.mostInFlight = limits.inFlight();
  }

  /**
   * Moves all of it. For the engine's thread.
   *
   * @param before bytes that the caller moved already, to count in a fault
   */
  void run(long before) throws DmaFaultException, JobEndedException {
    bus.functionThread().execute(this::goOn);
    synchronized (job) {
      while (!over && !job.ended()) {
        try {
          job.wait();
        } catch (InterruptedException e) {
          // The engine is being shut down: as good as ended.
          Thread.currentThread().interrupt();
          throw new JobEndedException();
        }
      }
      job.check();
      if (broken != null) {
        throw new IllegalStateException("messages cannot be sent", broken);
      }
      if (faultReason != null) {
        throw new DmaFaultException(
            access, faultReason, address + faultOffset, before + faultOffset);
      }
    }
  }

  /** The bytes of the messages that were answered. */
  long moved() {
    return moved;
  }

  /** Sends what there is room for, or tells the engine that there is no more to come. */
  private void goOn() {
    try {
      sendOn();
    } catch (Throwable e) {
      // The engine waits for this, and would for ever.
      broken = e;
      job.abandon();
      end();
    }
  }

  private void sendOn() {
    if (job.ended() || broken != null) {
      return;
    }
    while (faultReason == null && sent < memory.byteSize() && inFlight < window) {
      long offset = sent;
      sent += Math.min(pieceBytes, memory.byteSize() - offset);
      send(offset, memory.asSlice(offset, sent - offset));
    }
    if (inFlight == 0) {
      end();
    }
  }

  private void end() {
    synchronized (job) {
      over = true;
      job.notifyAll();
    }
  }

  private void send(long offset, MemorySegment part) {
    if (bus.messages().filter(path::equals).isEmpty()) {
      // The client has gone, and another one may be here.
      fail(offset, Reason.CLIENT_FAILED);
      return;
    }
    Piece completion = new Piece(offset, part.byteSize());
    inFlight++;
    completion.exchange =
        access == Access.READ
            ? path.read(address + offset, part, completion)
            : path.write(address + offset, part, completion);
    job.add(completion.exchange);
  }

  /** The first byte that could not be moved counts, whatever the order of the answers. */
  private void fail(long offset, Reason reason) {
    if (offset < faultOffset) {
      faultOffset = offset;
      faultReason = reason;
    }
  }

  private final class Piece implements MessagePath.Completion {
    private final long offset;
    private final long length;
    private final long begin = System.nanoTime();
    private MessagePath.Exchange exchange;

    Piece(long offset, long length) {
      this.offset = offset;
      this.length = length;
    }

    @Override
    public boolean mayBegin() {
      // The mapping may have gone, and bus mastering may have been turned off, since the engine
      // looked, and since the message began to wait for a client that does not receive.
      try {
        Extent found = bus.table().find(address + offset);
        Extent extent = bus.permit(found, access, address + offset, offset);
        if (extent.remaining(address + offset) < length) {
          // Mapped anew and smaller: the piece as a whole is not moved.
          fail(offset, Reason.UNMAPPED);
          return false;
        }
        return true;
      } catch (DmaFaultException fault) {
        fail(offset, fault.reason());
        return false;
      }
    }

    @Override
    public void done() {
      boolean quick = System.nanoTime() - begin < QUICK_NANOS;
      window = quick ? Math.min(window + 1, mostInFlight) : 1;
      moved += length;
      answered();
    }

    @Override
    public void failed() {
      fail(offset, Reason.CLIENT_FAILED);
      answered();
    }

    private void answered() {
      job.remove(exchange);
      inFlight--;
      goOn();
    }
  }
}
