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
    return on(false, action);
  }

  /** Starts the server's end: the threads that the action starts stay where it runs. */
  public <T> T server(Callable<T> action) throws Exception {
    return on(true, action);
  }

  private <T> T on(boolean server, Callable<T> action) throws Exception {
    BitSet all = CpuAffinity.ofCallingThread();
    if (!possible()) {
      throw new BenchmarkException("This takes two processors.");
    }
    BitSet one = new BitSet();
    one.set(server && this == TWO_CPUS ? all.length() - 1 : all.nextSetBit(0));
    CpuAffinity.setOfCallingThread(one);
    try {
      return action.call();
    } finally {
      CpuAffinity.setOfCallingThread(all);
    }
  }

  @Override
  public String toString() {
    return label;
  }
}
