package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.ProcessFacts;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.fixture.WithheldMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Resets of channels at work, which is when memory is in use: they take none that only a collector
 * would give back, which a program without garbage never runs.
 */
@Tag("polled")
@Timeout(240)
final class ResetMemoryTest {
  private static final int WARM_UP = 50;
  private static final int RESETS = 1000;

  /** What one reset may not even take once in a hundred times; a channel's buffers are larger. */
  private static final long MOST_GROWTH = 1 << 20;

  private static final long FAR = 1L << 40;
  private static final long NEAR = 1L << 41;

  /** Memory that the client withholds. */
  private static final long WITHHELD = 1L << 42;

  private static final long SIZE = 1 << 20;
  private static final long HALF = SIZE / 2;
  private static final int LONGEST_LOAD_NANOS = 500_000;

  @TempDir private Path directory;

  /**
   * Every way of a channel's bytes: its own, BAR 2, memory reached directly and by messages. The
   * last one needs what is withheld: whenever a reset comes, it comes to work.
   *
   * @param first which of them comes first, as a reset may come before the next
   */
  private static Descriptor[] work(int first) {
    Descriptor[] entries = new Descriptor[Wire.ENTRIES - 2];
    int last = entries.length - 1;
    for (int i = 0; i < last; i++) {
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
    entries[last] = Descriptor.copy(HALF).from(WITHHELD).toLocal(0);
    return entries;
  }

  @Test
  void aThousandResetsTakeNoMemory() throws Exception {
    try (Wire wire = Wire.twinned(directory, Wire.config(DoorbellMode.TRAP))) {
      VfioUserClient client = wire.client();
      GuestMemory far = wire.memory(SIZE + GuestMemory.PAGE);
      GuestMemory near = wire.memory(SIZE + GuestMemory.PAGE);
      client.memory().put(FAR, far.bytes());
      client.dmaMap(Wire.READ_WRITE, 0, FAR, SIZE + GuestMemory.PAGE, Optional.empty());
      client.dmaMap(Wire.READ_WRITE, 0, NEAR, SIZE + GuestMemory.PAGE, Optional.of(near.file()));
      client.memory().put(WITHHELD, Arena.ofAuto().allocate(HALF));
      client.dmaMap(Wire.READ_WRITE, 0, WITHHELD, HALF, Optional.empty());
      WithheldMemory withheld = new WithheldMemory(client.memory(), WITHHELD);
      client.serveDma(withheld);
      HbmChannel channel = wire.channel(0);
      HbmChannel other = wire.channel(1);
      Random random = new Random(20);
      for (int i = 0; i < WARM_UP; i++) {
        resetAtWork(channel, other, withheld, random);
      }
      long before = ProcessFacts.directBytes();
      long residentBefore = ProcessFacts.residentKib(ProcessHandle.current().pid());
      long most = before;
      for (int i = 0; i < RESETS; i++) {
        resetAtWork(channel, other, withheld, random);
        most = Math.max(most, ProcessFacts.directBytes());
      }
      System.out.printf(
          "%d resets at work: native memory %d KiB before, %d at most, %d after; RSS %d KiB before,"
              + " %d after%n",
          RESETS,
          before >> 10,
          most >> 10,
          ProcessFacts.directBytes() >> 10,
          residentBefore,
          ProcessFacts.residentKib(ProcessHandle.current().pid()));
      assertThat(most - before).as("bytes taken").isLessThan(MOST_GROWTH);
      // Of runs that were reset.
      channel.interrupted();
      channel.run(Descriptor.fill(7, SIZE).to(NEAR).interrupt());
      Wire.idle(channel);
    }
  }

  private static void resetAtWork(
      HbmChannel channel, HbmChannel other, WithheldMemory withheld, Random random)
      throws IOException {
    withheld.hold();
    channel.submit(work(random.nextInt(5)));
    other.submit(work(random.nextInt(5)));
    LockSupport.parkNanos(random.nextInt(LONGEST_LOAD_NANOS));
    assertThat(channel.state()).isEqualTo(ChannelState.RUNNING);
    channel.driver().device().reset();
    withheld.letGo();
    channel.setUp();
    other.setUp();
  }
}
