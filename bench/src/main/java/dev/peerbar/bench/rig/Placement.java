package dev.peerbar.bench.rig;

import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.linux.CpuAffinity;
import dev.peerbar.linux.LinuxException;
import java.util.BitSet;
import java.util.concurrent.Callable;

/**
 * On which processors the two ends of a socket are. Where the scheduler chooses, it chooses anew
 * every few milliseconds, and the choice costs several times what is to be measured: a processor
 * that has been idle takes long to wake, in a virtual machine above all.
 */
public enum Placement {
  /** Both on one: what the programs and system calls cost, and the switch from one to the other. */
  ONE_CPU("one CPU"),
  /** Each on its own: the wake-up of a sleeping processor comes on top. */
  TWO_CPUS("two CPUs");

  private final String label;

  Placement(String label) {
    this.label = label;
  }

  /** Whether the calling thread may use as many processors. */
  public boolean possible() throws LinuxException {
    return this == ONE_CPU || CpuAffinity.ofCallingThread().cardinality() > 1;
  }

  /** Runs the client's end. */
  public <T> T client(Callable<T> action) throws Exception {
    try (Pinned _ = pinClient()) {
      return action.call();
    }
  }

  /** Starts the server's end: the threads that the action starts stay where it runs. */
  public <T> T server(Callable<T> action) throws Exception {
    try (Pinned _ = pin(true)) {
      return action.call();
    }
  }

  /** Has the calling thread be the client's end until what is returned is closed. */
  public Pinned pinClient() throws LinuxException, BenchmarkException {
    return pin(false);
  }

  private Pinned pin(boolean server) throws LinuxException, BenchmarkException {
    BitSet all = CpuAffinity.ofCallingThread();
    if (!possible()) {
      throw new BenchmarkException("This takes two processors.");
    }
    BitSet one = new BitSet();
    one.set(server && this == TWO_CPUS ? all.length() - 1 : all.nextSetBit(0));
    CpuAffinity.setOfCallingThread(one);
    return new Pinned(all);
  }

  /**
   * A thread that is on one processor; that thread closes it.
   *
   * @param before on which it may run afterwards
   */
  public record Pinned(BitSet before) implements AutoCloseable {
    @Override
    public void close() throws LinuxException {
      CpuAffinity.setOfCallingThread(before);
    }
  }

  @Override
  public String toString() {
    return label;
  }
}
