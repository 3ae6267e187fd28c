package dev.peerbar.scenario.mutant;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.JobEndedException;
import java.lang.foreign.MemorySegment;

/** Bus mastering with copies and writes that can be wrong. */
class MutatedDma implements Dma {
  final Dma sound;

  MutatedDma(Dma sound) {
    this.sound = sound;
  }

  @Override
  public void read(long iova, MemorySegment into) throws DmaFaultException, JobEndedException {
    sound.read(iova, into);
  }

  @Override
  public void write(long iova, MemorySegment from) throws DmaFaultException, JobEndedException {
    sound.write(iova, from);
  }

  @Override
  public void copy(long fromIova, long toIova, long length)
      throws DmaFaultException, JobEndedException {
    sound.copy(fromIova, toIova, length);
  }

  @Override
  public void local(MemorySegment from, MemorySegment to) throws JobEndedException {
    sound.local(from, to);
  }
}
