package dev.peerbar.server.dma;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.MustWaitException;
import dev.peerbar.server.events.TransferEvent;
import java.lang.foreign.MemorySegment;

/**
 * A job's bus mastering, each call of which is an event if anybody wants to know, and sticks if it
 * has to.
 */
final class RecordedDma implements Dma {
  private final BusMaster bus;
  private final JobState job;
  private final JobDma dma;
  private final EngineName engine;
  private final boolean inPlace;

  /**
   * @param inPlace whether all calls are made on the function's thread
   */
  RecordedDma(BusMaster bus, JobState job, JobDma dma, EngineName engine, boolean inPlace) {
    this.bus = bus;
    this.job = job;
    this.dma = dma;
    this.engine = engine;
    this.inPlace = inPlace;
  }

  /** Waits while the engine is to stick. */
  private void awaitTurn() throws JobEndedException {
    Stall stall = bus.stall();
    if (stall == null) {
      return;
    }
    if (!inPlace) {
      stall.await(job, engine);
    } else if (stall.holds(engine)) {
      throw MustWaitException.INSTANCE;
    }
  }

  /** One call. */
  private interface Call {
    void run() throws DmaFaultException, JobEndedException;
  }

  @Override
  public void read(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
    read(iova, into, 0, into.byteSize());
  }

  @Override
  public void read(long iova, MemorySegment into, long offset, long length)
      throws DmaFaultException, JobEndedException {
    awaitTurn();
    if (TransferEvent.enabled()) {
      record(
          TransferEvent.Access.READ, iova, 0, length, () -> dma.read(iova, into, offset, length));
    } else {
      dma.read(iova, into, offset, length);
    }
  }

  @Override
  public void look(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
    awaitTurn();
    dma.read(iova, into);
  }

  @Override
  public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
    write(iova, from, 0, from.byteSize());
  }

  @Override
  public void write(long iova, MemorySegment from, long offset, long length)
      throws DmaFaultException, JobEndedException {
    awaitTurn();
    if (TransferEvent.enabled()) {
      record(
          TransferEvent.Access.WRITE, 0, iova, length, () -> dma.write(iova, from, offset, length));
    } else {
      dma.write(iova, from, offset, length);
    }
  }

  @Override
  public void writeFlagged(long iova, MemorySegment from, long flagOffset, long flagBytes)
      throws DmaFaultException, JobEndedException {
    awaitTurn();
    if (TransferEvent.enabled()) {
      Dma.super.writeFlagged(iova, from, flagOffset, flagBytes);
    } else {
      dma.writeFlagged(iova, from, flagOffset, flagBytes);
    }
  }

  @Override
  public void copy(long fromIova, long toIova, long length)
      throws DmaFaultException, JobEndedException {
    awaitTurn();
    if (TransferEvent.enabled()) {
      record(
          TransferEvent.Access.COPY,
          fromIova,
          toIova,
          length,
          () -> dma.copy(fromIova, toIova, length));
    } else {
      dma.copy(fromIova, toIova, length);
    }
  }

  @Override
  public void local(MemorySegment from, MemorySegment to) throws JobEndedException {
    awaitTurn();
    if (!TransferEvent.enabled()) {
      dma.local(from, to);
      return;
    }
    try {
      record(TransferEvent.Access.LOCAL, 0, 0, from.byteSize(), () -> dma.local(from, to));
    } catch (DmaFaultException e) {
      throw new AssertionError("the endpoint's own memory", e);
    }
  }

  private void record(
      TransferEvent.Access access, long source, long destination, long asked, Call call)
      throws DmaFaultException, JobEndedException {
    TransferEvent event =
        TransferEvent.start(engine.function(), engine.engine(), access, source, destination, asked);
    JobDma.Progress progress = dma.startProgress();
    try {
      call.run();
    } catch (MustWaitException again) {
      // All of it is done once more, and told of then.
      throw again;
    } catch (DmaFaultException fault) {
      progress.moved = fault.transferred();
      event.stopped(fault.reason().name(), fault.iova());
      finish(event, progress);
      throw fault;
    } catch (JobEndedException ended) {
      event.stopped(TransferEvent.ENDED, 0);
      finish(event, progress);
      throw ended;
    } catch (RuntimeException | Error e) {
      finish(event, progress);
      throw e;
    }
    finish(event, progress);
  }

  private static void finish(TransferEvent event, JobDma.Progress progress) {
    event.finish(progress.moved, progress.direct, progress.messages);
  }

  @Override
  public boolean mayWait(long iova, long length) {
    return dma.mayWait(iova, length);
  }

  @Override
  public void takesLong() throws JobEndedException {
    dma.takesLong();
  }
}
