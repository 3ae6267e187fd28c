package dev.peerbar.server.dma;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
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

  RecordedDma(BusMaster bus, JobState job, JobDma dma, EngineName engine) {
    this.bus = bus;
    this.job = job;
    this.dma = dma;
    this.engine = engine;
  }

  /** Waits while the engine is to stick. */
  private void awaitTurn() throws JobEndedException {
    Stall stall = bus.stall();
    if (stall != null) {
      stall.await(job, engine);
    }
  }

  /** One call. */
  private interface Call {
    void run() throws DmaFaultException, JobEndedException;
  }

  @Override
  public void read(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
    awaitTurn();
    if (TransferEvent.enabled()) {
      record(TransferEvent.Access.READ, iova, 0, into.byteSize(), () -> dma.read(iova, into));
    } else {
      dma.read(iova, into);
    }
  }

  @Override
  public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
    awaitTurn();
    if (TransferEvent.enabled()) {
      record(TransferEvent.Access.WRITE, 0, iova, from.byteSize(), () -> dma.write(iova, from));
    } else {
      dma.write(iova, from);
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
    } catch (DmaFaultException fault) {
      progress.moved = fault.transferred();
      event.stopped(fault.reason().name(), fault.iova());
      throw fault;
    } catch (JobEndedException ended) {
      event.stopped(TransferEvent.ENDED, 0);
      throw ended;
    } finally {
      event.finish(progress.moved, progress.direct, progress.messages);
    }
  }
}
