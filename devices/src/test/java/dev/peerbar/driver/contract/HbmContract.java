package dev.peerbar.driver.contract;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.CompletionRecord;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An HBM endpoint, driven. */
@Timeout(120)
public abstract class HbmContract {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final int ENTRIES = 8;
  private static final int LENGTH = 64 << 10;
  private static final byte POISON = 0x5a;

  private Device device;
  private HbmDriver driver;

  /**
   * Opens an HBM endpoint with two channels or more, in the state that a reset leaves; the test
   * closes it.
   */
  protected abstract Device open() throws Exception;

  @BeforeEach
  final void takeOver() throws Exception {
    device = open();
    driver = HbmDriver.of(device);
  }

  @AfterEach
  final void letGo() throws IOException {
    if (device != null) {
      device.close();
    }
  }

  private HbmChannel channel(int index) throws IOException {
    return driver.channel(index, ENTRIES).enable();
  }

  private static byte[] random(long seed) {
    byte[] bytes = new byte[LENGTH];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private DmaRange memory(byte[] bytes) throws IOException {
    DmaRange memory = device.allocate(bytes.length);
    memory.write(0, bytes);
    return memory;
  }

  /** Waits for the interrupt of the last entry, and then expects it over. */
  private static Completion over(HbmChannel channel, int entry) throws IOException {
    assertThat(channel.awaitInterrupt(LIMIT)).as("an interrupt").isTrue();
    return channel.completion(entry);
  }

  @Test
  final void copiesIntoItsMemoryAndBack() throws Exception {
    byte[] bytes = random(1);
    DmaRange from = memory(bytes);
    DmaRange to = device.allocate(LENGTH);
    HbmChannel channel = channel(0);

    int first =
        channel.submit(
            Descriptor.copy(LENGTH).from(from.iova()).toLocal(4096),
            Descriptor.copy(LENGTH).fromLocal(4096).to(to.iova()).interrupt());

    assertThat(over(channel, first + 1))
        .isEqualTo(new Completion(CompletionRecord.DONE, 0, LENGTH, 0, first + 1));
    assertThat(driver.memory().read(4096, LENGTH)).isEqualTo(bytes);
    assertThat(to.read(0, LENGTH)).isEqualTo(bytes);
    assertThat(channel.awaitRest(LIMIT)).isEqualTo(ChannelState.IDLE);
    assertThat(channel.head()).isEqualTo(2);
    assertThat(channel.completed()).isEqualTo(2);
    assertThat(driver.fault()).isZero();
  }

  @Test
  final void takesTheChecksumOfMemory() throws Exception {
    byte[] bytes = random(2);
    CRC32C expected = new CRC32C();
    expected.update(bytes);
    HbmChannel channel = channel(0);

    int entry = channel.submit(Descriptor.crc32c(LENGTH).from(memory(bytes).iova()).interrupt());

    Completion completion = over(channel, entry);
    assertThat(completion.done()).isTrue();
    assertThat(completion.result()).isEqualTo(expected.getValue());
  }

  @Test
  final void storesAnImmediateAndNothingBesideIt() throws Exception {
    DmaRange to = device.allocate(4096);
    to.fill(0, 4096, POISON);
    HbmChannel channel = channel(1);

    int first =
        channel.submit(
            Descriptor.immediate(0x1122_3344_5566_7788L, Integer.BYTES).to(to.iova() + 8),
            Descriptor.immediate(0x1122_3344_5566_7788L, Long.BYTES)
                .to(to.iova() + 24)
                .interrupt());

    assertThat(over(channel, first + 1).moved()).isEqualTo(Long.BYTES);
    byte[] expected = new byte[4096];
    Arrays.fill(expected, POISON);
    ByteBuffer.wrap(expected)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(8, 0x5566_7788)
        .putLong(24, 0x1122_3344_5566_7788L);
    assertThat(to.read(0, 4096)).isEqualTo(expected);
  }

  @Test
  final void aRingGoesRoundManyTimes() throws Exception {
    DmaRange counter = device.allocate(4096);
    HbmChannel channel = channel(0);
    long value = 0;
    for (int round = 0; round < 10; round++) {
      for (int i = 0; i < ENTRIES - 2; i++) {
        channel.prepare(Descriptor.immediate(++value, Long.BYTES).to(counter.iova()));
      }
      int last = channel.submit(Descriptor.nop().interrupt());
      assertThat(over(channel, last).done()).as("round %d", round).isTrue();
      assertThat(counter.loadLong(0)).isEqualTo(value);
    }
    assertThat(channel.completed()).isEqualTo(10 * (ENTRIES - 1));
  }

  @Test
  final void aFaultHaltsTheChannelAndIsLatchedUntilItIsCleared() throws Exception {
    DmaRange gone = device.allocate(LENGTH);
    HbmChannel channel = channel(0);
    HbmChannel other = channel(1);
    // Last: the next that is allocated may be where it was.
    device.unmap(gone);

    int first =
        channel.submit(
            Descriptor.nop(),
            Descriptor.copy(LENGTH).from(gone.iova()).toLocal(0).interrupt(),
            Descriptor.nop().interrupt());

    assertThat(channel.awaitInterrupt(LIMIT)).isTrue();
    assertThat(driver.awaitFault(LIMIT)).isTrue();
    int fault = ErrorCode.READ_FAULT.code();
    assertThat(channel.state()).isEqualTo(ChannelState.HALTED);
    assertThat(channel.error()).isEqualTo(fault);
    assertThat(channel.head()).isEqualTo(1);
    assertThat(channel.completion(first + 1).status()).isEqualTo(CompletionRecord.FAILED);
    assertThat(channel.completion(first + 1).error()).isEqualTo(fault);
    assertThat(channel.completion(first + 2).status()).as("it has not run").isZero();
    assertThat(driver.faultAddress()).isEqualTo(gone.iova());
    assertThat(driver.fault())
        .isEqualTo(HbmRegisters.FAULT_LATCHED | fault << HbmRegisters.FAULT_ERROR_SHIFT);

    // Another channel's fault comes too late to be latched, and does not stop this one's restart.
    other.submit(Descriptor.fill(0, 64).to(gone.iova() + 4096).interrupt());
    assertThat(other.awaitInterrupt(LIMIT)).isTrue();
    assertThat(other.error()).isEqualTo(ErrorCode.WRITE_FAULT.code());
    assertThat(driver.faultAddress()).isEqualTo(gone.iova());
    driver.clearFault();
    assertThat(driver.fault()).isZero();

    int again = channel.restart().submit(Descriptor.nop().interrupt());
    assertThat(over(channel, again).done()).isTrue();
    assertThat(channel.error()).isZero();
  }

  /**
   * Waits for interrupts that were signalled by now and are on their way, and forgets them. A VMM
   * hands on those that it finds signalled at a time in any order: one that is signalled now and
   * comes may be before them, but the next one is after.
   */
  private void whatWasSignalledHasCome() throws IOException {
    HbmChannel other = channel(1);
    for (int i = 0; i < 2; i++) {
      int last = other.submit(Descriptor.nop().interrupt());
      assertThat(over(other, last).done()).isTrue();
    }
    driver.drainInterrupts();
  }

  @Test
  final void nothingOfWhatWasUnderWayIsSeenAfterAReset() throws Exception {
    DmaRange from = memory(random(3));
    DmaRange to = device.allocate(LENGTH);
    int resets = driver.read(HbmRegisters.RESET_COUNT);
    HbmChannel channel = channel(0);
    for (int i = 0; i < ENTRIES - 1; i++) {
      channel.prepare(Descriptor.copy(LENGTH).from(from.iova()).to(to.iova()).interrupt());
    }
    channel.ring();

    device.reset();

    to.fill(0, LENGTH, POISON);
    driver.setUp();
    assertThat(driver.read(HbmRegisters.RESET_COUNT)).isGreaterThan(resets);
    assertThat(channel.state()).isEqualTo(ChannelState.IDLE);
    assertThat(channel.head()).isZero();
    assertThat(channel.completed()).isZero();
    assertThat(driver.status()).isEqualTo(HbmRegisters.STATUS_READY);
    whatWasSignalledHasCome();
    device.relax();
    assertThat(channel.interrupted()).as("an interrupt").isFalse();
    byte[] expected = new byte[LENGTH];
    Arrays.fill(expected, POISON);
    assertThat(to.read(0, LENGTH)).isEqualTo(expected);

    int entry =
        channel
            .enable()
            .submit(Descriptor.copy(LENGTH).from(from.iova()).to(to.iova()).interrupt());
    assertThat(over(channel, entry).done()).isTrue();
    assertThat(to.read(0, LENGTH)).isEqualTo(random(3));
  }
}
