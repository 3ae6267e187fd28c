package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Commands;
import dev.peerbar.bench.harness.Workload;
import java.io.Closeable;
import java.io.IOException;

/** A doorbell for many copies of an endpoint that polls, and the wait for the last one's record. */
final class PolledCopies implements Workload, Closeable {
  /** Of copies, in the ring: a driver fills one while the other is under way. */
  static final int CHAINS = 2;

  private final PolledRing ring;
  private final Commands chains;
  private final long bytes;

  /**
   * @param ring of {@link #CHAINS} commands; closed with this
   * @param bytes that a command copies
   */
  PolledCopies(PolledRing ring, long bytes) {
    this.ring = ring;
    this.bytes = bytes;
    chains = new Commands(ring, 1, 1);
  }

  @Override
  public void begin() {
    chains.begin();
  }

  @Override
  public void prepare() {
    ring.refill();
  }

  @Override
  public long run() {
    chains.run();
    return bytes;
  }

  @Override
  public void end() {
    chains.end();
  }

  @Override
  public void close() throws IOException {
    ring.close();
  }
}
