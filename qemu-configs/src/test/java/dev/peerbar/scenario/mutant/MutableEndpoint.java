package dev.peerbar.scenario.mutant;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Engine;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Interrupts;
import dev.peerbar.endpoint.Job;
import dev.peerbar.endpoint.JobEndedException;
import dev.peerbar.endpoint.Timer;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** An endpoint that can be broken and made whole again while it is served. */
public final class MutableEndpoint implements Endpoint {
  private final Endpoint sound;
  private volatile Mutation mutation = Mutation.NONE;
  private Host host;
  private Timer timer;

  public MutableEndpoint(Endpoint sound) {
    this.sound = sound;
  }

  /** From now on; for any thread. */
  void mutate(Mutation next) {
    mutation = next;
  }

  Host host() {
    return host;
  }

  Timer timer() {
    return timer;
  }

  @Override
  public PciFunction function() {
    return sound.function();
  }

  @Override
  public void start(Host newHost) {
    host = newHost;
    timer = host.timer(() -> mutation.later(this));
    sound.start(new MutatedHost());
  }

  @Override
  public long read(int bar, long offset, AccessWidth width) {
    return mutation.read(sound, bar, offset, width);
  }

  @Override
  public void write(int bar, long offset, AccessWidth width, long value) {
    mutation.write(this, sound, bar, offset, width, value);
  }

  @Override
  public void reset(ResetKind kind) {
    mutation.reset(this, sound, kind);
  }

  @Override
  public void busMasterChanged(boolean enabled) {
    sound.busMasterChanged(enabled);
  }

  @Override
  public void memorySpaceChanged(boolean enabled) {
    sound.memorySpaceChanged(enabled);
  }

  private final class MutatedHost implements Host {
    @Override
    public Interrupts interrupts() {
      return host.interrupts();
    }

    @Override
    public MemorySegment memory(int bar) {
      return host.memory(bar);
    }

    @Override
    public void zero(int bar) {
      host.zero(bar);
    }

    @Override
    public Engine engine(String name) {
      Engine engine = host.engine(name);
      return (work, failed) -> engine.submit(job -> work.run(new MutatedJob(job)), failed);
    }

    @Override
    public Timer timer(Runnable action, Consumer<Throwable> failed) {
      return host.timer(action, failed);
    }

    @Override
    public void clearDoorbell(int bar, long offset) {
      host.clearDoorbell(bar, offset);
    }
  }

  private final class MutatedJob implements Job {
    private final Job job;

    private MutatedJob(Job job) {
      this.job = job;
    }

    @Override
    public Dma dma() {
      return mutation.dma(job.dma());
    }

    @Override
    public void update(Runnable change) throws JobEndedException {
      job.update(change);
    }

    @Override
    public void raise(int vector) throws JobEndedException {
      if (!mutation.signal(MutableEndpoint.this, job, vector)) {
        job.raise(vector);
      }
    }

    @Override
    public boolean signal(int vector) throws JobEndedException {
      return mutation.signal(MutableEndpoint.this, job, vector);
    }
  }
}
