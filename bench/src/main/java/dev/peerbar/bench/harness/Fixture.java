package dev.peerbar.bench.harness;

import java.io.Closeable;
import java.io.IOException;

/**
 * Something to be measured and its floor, set up together so that they differ in nothing else. For
 * one thread.
 *
 * @param resources what both need until they have been run for the last time
 */
public record Fixture(Workload floor, Workload peerbar, Closeable resources)
    implements AutoCloseable {
  @Override
  public void close() throws IOException {
    resources.close();
  }
}
