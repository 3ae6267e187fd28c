package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.ProcessFacts;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Resets of channels at work, which is when memory is in use: they take none that only a collector
 * would give back, which a program without garbage never runs.
 */
@Timeout(240)
final class ResetMemoryTest {
  private static final int WARM_UP = 50;
  private static final int RESETS = 1000;

  /** What one reset may not even take once in a hundred times; a channel's buffers are larger. */
  private static final long MOST_GROWTH = 1 << 20;

  private static final long FAR = 1L << 40;
  private static final long NEAR = 1L << 41;
  private static final long SIZE = 1 << 20;
  private static final long HALF = SIZE / 2;
  private static final int LONGEST_LOAD_NANOS = 500_000;

  @TempDir private Path directory;

  /**
   * Every way of a channel's bytes: its own, BAR 2, memory reached directly and by messages.
   *
   * @param first which of them comes first, as a reset may come before the next
   */
  private static Descriptor[] work(int first) {
    Descriptor[] entries = new Descriptor[Wire.ENTRIES - 2];
    for (int i = 0; i < entries.length; i++) {
      long records = (i % 2 == 0 ? FAR : NEAR) + SIZE;
      entries[i] =
          (switch ((first + i) % 5) {
                case 0 -> Descriptor.fill(i, HALF).to(FAR);
                case 1 -> Descriptor.copy(HALF).from(FAR).to(NEAR);
                case 2 -> Descriptor.fill(i, HALF).to(NEAR);
                case 3 -> Descriptor.copy(HALF).from(NEAR).to(FAR + HALF);
                default -> Descriptor.copy(HALF).from(FAR).toLocal(0);
              })
              .recordAt(records)
              .interrupt();
    }
    return entries;
  }

  @Test
  void aThousandResetsTakeNoMemory() throws Exception {
    try (Wire wire = Wire.connected(directory)) {
      VfioUserClient client = wire.client();
      GuestMemory far = wire.memory(SIZE + GuestMemory.PAGE);
      GuestMemory near = wire.memory(SIZE + GuestMemory.PAGE);
      client.memory().put(FAR, far.bytes());
      client.dmaMap(Wire.READ_WRITE, 0, FAR, SIZE + GuestMemory.PAGE, Optional.empty());
      client.dmaMap(Wire.READ_WRITE, 0, NEAR, SIZE + GuestMemory.PAGE, Optional.of(near.file()));
      HbmChannel channel = wire.channel(0);
      HbmChannel other = wire.channel(1);
      Random random = new Random(20);
      for (int i = 0; i < WARM_UP; i++) {
        resetAtWork(channel, other, random);
      }
      long before = ProcessFacts.directBytes();
      long residentBefore = ProcessFacts.residentKib(ProcessHandle.current().pid());
      long most = before;
      int atWork = 0;
      for (int i = 0; i < RESETS; i++) {
        atWork += resetAtWork(channel, other, random) ? 1 : 0;
        most = Math.max(most, ProcessFacts.directBytes());
      }
      System.out.printf(
          "%d resets, %d of them at work: native memory %d KiB before, %d at most, %d after; RSS %d"
              + " KiB before, %d after%n",
          RESETS,
          atWork,
          before >> 10,
          most >> 10,
          ProcessFacts.directBytes() >> 10,
          residentBefore,
          ProcessFacts.residentKib(ProcessHandle.current().pid()));
      assertThat(atWork).as("resets that found work").isGreaterThan(RESETS / 2);
      assertThat(most - before).as("bytes taken").isLessThan(MOST_GROWTH);
      // Of runs that were reset.
      channel.interrupted();
      channel.run(Descriptor.fill(7, SIZE).to(NEAR).interrupt());
      Wire.idle(channel);
    }
  }

  /** Returns whether the channel was running when it was reset. */
  private static boolean resetAtWork(HbmChannel channel, HbmChannel other, Random random)
      throws IOException {
    channel.submit(work(random.nextInt(5)));
    other.submit(work(random.nextInt(5)));
    LockSupport.parkNanos(random.nextInt(LONGEST_LOAD_NANOS));
    boolean running = channel.state() == ChannelState.RUNNING;
    channel.driver().device().reset();
    channel.setUp();
    other.setUp();
    return running;
  }
}
