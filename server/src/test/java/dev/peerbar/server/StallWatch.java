package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReference;

/** A well-behaved client that reads a register without end and sees how long it takes. */
final class StallWatch implements AutoCloseable {
  /** What a machine that does many other things may take. */
  private static final long LIMIT_NANOS = 5_000_000_000L;

  private final VfioUserClient client;
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private volatile boolean over;
  private volatile long longest;
  private volatile long reads;
  private final Thread reader;

  StallWatch(VfioUserClient client) throws IOException {
    this.client = client;
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    reader = Thread.ofPlatform().daemon().name("stall-watch").start(this::read);
  }

  private void read() {
    try {
      for (long count = 1; !over; count++) {
        long begin = System.nanoTime();
        assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
        longest = Math.max(longest, System.nanoTime() - begin);
        reads = count;
      }
    } catch (IOException | AssertionError e) {
      failure.set(e);
    }
  }

  long longestMicros() {
    return longest / 1000;
  }

  long reads() {
    return reads;
  }

  @Override
  public void close() {
    over = true;
    try {
      reader.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    assertThat(failure.get()).isNull();
    assertThat(longest).as("the longest read, in ns").isLessThan(LIMIT_NANOS);
  }
}
