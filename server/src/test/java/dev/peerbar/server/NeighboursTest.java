package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Several endpoints of one process: what one of them is busy or stuck with does not keep another
 * from answering. How long the answers take is printed, for people; only that they come is tested.
 */
@Timeout(180)
final class NeighboursTest {
  private static final long SOURCE = 0x100_0000_0000L;
  private static final long TARGET = 0x200_0000_0000L;
  private static final long CHUNK = 64 << 20;
  private static final long COPY = 1 << 30;
  private static final int READS = 2000;

  @TempDir private Path directory;
  private Wire quiet;
  private Wire busy;

  @BeforeEach
  void serve() throws Exception {
    quiet = connected("quiet");
    busy = connected("busy");
  }

  private Wire connected(String name) throws IOException {
    return Wire.connected(
        Files.createDirectory(directory.resolve(name)), Wire.config(DoorbellMode.TRAP));
  }

  @AfterEach
  void stop() {
    busy.close();
    quiet.close();
  }

  /** Microseconds of a register read, sorted. */
  private long[] reads(int count) throws IOException {
    long[] micros = new long[count];
    for (int i = 0; i < count; i++) {
      micros[i] = read();
    }
    Arrays.sort(micros);
    return micros;
  }

  /** The same, from now until a channel has nothing to do any more. */
  private long[] readsBeside(HbmChannel channel) throws IOException {
    LongStream.Builder micros = LongStream.builder();
    do {
      for (int i = 0; i < 50; i++) {
        micros.add(read());
      }
    } while (channel.state() == ChannelState.RUNNING);
    return micros.build().sorted().toArray();
  }

  private long read() throws IOException {
    long start = System.nanoTime();
    assertThat(quiet.client().readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    return TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - start);
  }

  private static void print(String what, long[] alone, long[] beside) {
    System.out.printf(
        "register reads beside %s: p50 %d us, longest %d us; alone p50 %d us, longest %d us%n",
        what, median(beside), beside[beside.length - 1], median(alone), alone[alone.length - 1]);
  }

  private static long median(long[] sorted) {
    return sorted[sorted.length / 2];
  }

  @Test
  void aCopyOfAGibibyteLeavesTheOthersTheirAnswers() throws Exception {
    VfioUserClient client = busy.client();
    GuestMemory from = busy.memory(CHUNK);
    GuestMemory to = busy.memory(CHUNK);
    for (long at = 0; at < COPY; at += CHUNK) {
      client.dmaMap(Wire.READ_WRITE, 0, SOURCE + at, CHUNK, Optional.of(from.file()));
      client.dmaMap(Wire.READ_WRITE, 0, TARGET + at, CHUNK, Optional.of(to.file()));
    }
    HbmChannel channel = busy.channel(0);
    reads(READS);
    long[] alone = reads(READS);
    Descriptor copy = Descriptor.copy(COPY).from(SOURCE).to(TARGET);
    channel.submit(copy, copy);
    long[] beside = readsBeside(channel);
    Wire.idle(channel);
    print("copies", alone, beside);
  }

  @Test
  void aClientThatAnswersNothingLeavesTheOthersTheirAnswers() throws Exception {
    VfioUserClient client = busy.client();
    client.dmaMap(Wire.READ_WRITE, 0, SOURCE, CHUNK, Optional.empty());
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch end = new CountDownLatch(1);
    client.serveDma(
        new DmaHandler() {
          @Override
          public void read(long address, int count, ByteBuf into) {
            asked.countDown();
            try {
              end.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
            into.writeZero(count);
          }

          @Override
          public void write(long address, ByteBuf data) {}
        });
    reads(READS);
    long[] alone = reads(READS);
    HbmChannel channel = busy.channel(0);
    channel.submit(Descriptor.copy(Wire.BAR_SIZE).from(SOURCE).toLocal(0).interrupt());
    assertThat(asked.await(60, TimeUnit.SECONDS)).isTrue();
    long[] beside = reads(READS);
    assertThat(end.getCount()).as("the client is stuck still").isOne();
    print("a stuck client", alone, beside);
    end.countDown();
    channel.awaitInterrupt();
  }
}
