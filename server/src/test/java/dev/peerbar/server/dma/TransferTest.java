package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.HbmDriver;
import dev.peerbar.server.fixture.RingEntry;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Bus mastering over the wire: copies, faults, and everything that takes the right to them away.
 */
@Timeout(120)
final class TransferTest {
  private static final long PAGE = GuestMemory.PAGE;
  private static final long SOURCE = 0x1_0000_0000L;
  private static final long TARGET = 0x2_0000_0000L;

  /** Many times what a revocation may have to wait for. */
  private static final long LARGE = 64 << 20;

  @TempDir private Path directory;
  private Wire wire;
  private VfioUserClient client;
  private HbmDriver driver;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.connected(directory);
    client = wire.client();
    driver = wire.own(new HbmDriver(client, 0));
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private GuestMemory mapped(long iova, long size) throws IOException {
    GuestMemory memory = wire.memory(size);
    client.dmaMap(Wire.READ_WRITE, 0, iova, size, Optional.of(memory.file()));
    return memory;
  }

  /** Memory that is reached by messages only. */
  private MemorySegment distant(long iova, long size) throws IOException {
    MemorySegment memory = Arena.ofAuto().allocate(size);
    client.memory().put(iova, memory);
    client.dmaMap(Wire.READ_WRITE, 0, iova, size, Optional.empty());
    return memory;
  }

  private static void same(MemorySegment actual, MemorySegment expected) {
    assertThat(actual.mismatch(expected)).as("first differing byte").isEqualTo(-1);
  }

  @Test
  void aCopyGathersAThousandPages() throws Exception {
    int pages = 1000;
    GuestMemory memory = wire.memory(pages * PAGE).randomise(1);
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < pages; i++) {
      order.add(i);
    }
    Collections.shuffle(order, new Random(2));
    MemorySegment expected = Arena.ofAuto().allocate(Wire.BAR_SIZE / 2);
    for (int i = 0; i < pages; i++) {
      long offset = order.get(i) * PAGE;
      client.dmaMap(Wire.READ_WRITE, offset, SOURCE + i * PAGE, PAGE, Optional.of(memory.file()));
      if (i * PAGE < expected.byteSize()) {
        MemorySegment.copy(memory.bytes(), offset, expected, i * PAGE, PAGE);
      }
    }
    driver.run(RingEntry.copy(SOURCE, 0, expected.byteSize()).toBar());
    driver.idle();
    byte[] seen = client.regionRead(Wire.MEMORY, 0, (int) expected.byteSize());
    same(MemorySegment.ofArray(seen), expected);
  }

  @Test
  void copiesBetweenMemoryAndMessagesOfEveryMix() throws Exception {
    long size = 3 << 20;
    MemorySegment near = mapped(SOURCE, size).randomise(3).bytes();
    MemorySegment far = distant(TARGET, size);
    driver.run(RingEntry.copy(SOURCE, TARGET, size));
    driver.idle();
    same(far, near);
    near.fill((byte) 0);
    driver.run(RingEntry.copy(TARGET, SOURCE, size));
    driver.idle();
    same(near, far);
    MemorySegment other = distant(TARGET + size, size);
    driver.run(RingEntry.copy(TARGET, TARGET + size, size));
    driver.idle();
    same(other, far);
    // A range that begins in the one kind and ends in the other.
    MemorySegment both = mapped(TARGET - PAGE, PAGE).randomise(4).bytes();
    driver.run(RingEntry.copy(TARGET - PAGE, 0, 2 * PAGE).toBar());
    driver.idle();
    byte[] seen = client.regionRead(Wire.MEMORY, 0, (int) (2 * PAGE));
    same(MemorySegment.ofArray(seen).asSlice(0, PAGE), both);
    same(MemorySegment.ofArray(seen).asSlice(PAGE, PAGE), far.asSlice(0, PAGE));
  }

  @Test
  void aClientMayPollRegistersDuringATransferByMessages() throws Exception {
    long size = 32 << 20;
    MemorySegment near = mapped(SOURCE, size).randomise(5).bytes();
    MemorySegment far = distant(TARGET, size);
    driver.submit(RingEntry.copy(SOURCE, TARGET, size), RingEntry.copy(TARGET, SOURCE, size));
    int polls = 0;
    while (driver.head() != 2) {
      polls++;
    }
    driver.idle();
    assertThat(polls).isPositive();
    same(far, near);
  }

  @Test
  void readsAndWritesByMessagesAndLargeRepliesDoNotBlockEachOther() throws Exception {
    HbmDriver other = wire.own(new HbmDriver(client, 1));
    long size = 32 << 20;
    distant(SOURCE, size);
    distant(TARGET, size);
    long start = System.nanoTime();
    driver.submit(
        RingEntry.copy(SOURCE, 0, 1 << 20).toBar(),
        RingEntry.copy(SOURCE, SOURCE + (16 << 20), 16 << 20));
    other.submit(RingEntry.copy(0, TARGET, 1 << 20).fromBar(), RingEntry.fill(7, TARGET, size));
    while (driver.head() != 2 || other.head() != 2) {
      client.regionRead(Wire.MEMORY, 0, 1 << 20);
    }
    driver.idle();
    other.idle();
    assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start)).isLessThan(9);
  }

  @Test
  void anUnmappedSourceFaultsAtItsFirstByte() throws Exception {
    mapped(SOURCE, 4 * PAGE);
    driver.run(RingEntry.copy(SOURCE + PAGE, 0, 8 * PAGE).toBar());
    driver.halted(HbmDriver.READ_FAULT);
    assertThat(driver.faultAddress()).isEqualTo(SOURCE + 4 * PAGE);
    assertThat(driver.head()).isZero();
  }

  @Test
  void anUnmappedTargetFaultsAtItsFirstByte() throws Exception {
    mapped(SOURCE, 8 * PAGE);
    mapped(TARGET, 3 * PAGE);
    driver.run(RingEntry.nop(), RingEntry.copy(SOURCE, TARGET, 8 * PAGE));
    Wire.await("the halt", () -> driver.state() == HbmDriver.HALTED);
    driver.halted(HbmDriver.WRITE_FAULT);
    assertThat(driver.faultAddress()).isEqualTo(TARGET + 3 * PAGE);
    assertThat(driver.head()).isOne();
  }

  @Test
  void permissionsAreKept() throws Exception {
    GuestMemory memory = wire.memory(PAGE).randomise(6);
    byte[] before = memory.bytes().toArray(ValueLayout.JAVA_BYTE);
    client.dmaMap(DmaMap.READABLE, 0, SOURCE, PAGE, Optional.of(memory.file()));
    driver.run(RingEntry.fill(0, SOURCE, PAGE));
    driver.halted(HbmDriver.WRITE_FAULT);
    assertThat(driver.faultAddress()).isEqualTo(SOURCE);
    same(memory.bytes(), MemorySegment.ofArray(before));
    client.reset();
    client.dmaMap(DmaMap.WRITEABLE, 0, TARGET, PAGE, Optional.of(memory.file()));
    driver.start();
    driver.run(RingEntry.copy(TARGET, 0, PAGE).toBar());
    driver.halted(HbmDriver.READ_FAULT);
    assertThat(driver.faultAddress()).isEqualTo(TARGET);
  }

  @Test
  void whatTheClientRefusesIsAFault() throws Exception {
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, 4 << 20, Optional.empty());
    client.memory().put(TARGET, Arena.ofAuto().allocate(1 << 20));
    driver.run(RingEntry.fill(1, TARGET, 4 << 20));
    driver.halted(HbmDriver.WRITE_FAULT);
    assertThat(driver.faultAddress()).isEqualTo(TARGET + (1 << 20));
  }

  // Revocations.

  /** Keeps the channel copying from memory into memory, until something ends it. */
  private MemorySegment copying() throws Exception {
    mapped(SOURCE, LARGE).randomise(7);
    MemorySegment target = mapped(TARGET, LARGE).bytes();
    copyTo(target);
    return target;
  }

  /** Begins as many copies as the ring takes, and waits until bytes arrive. */
  private void copyTo(MemorySegment target) throws Exception {
    RingEntry[] copies = new RingEntry[HbmDriver.ENTRIES - 1];
    for (int i = 0; i < copies.length; i++) {
      copies[i] = RingEntry.copy(SOURCE, TARGET, LARGE).silent();
    }
    target.set(GuestMemory.LONG, 0, 0);
    driver.submit(copies);
    Wire.await("the copy", () -> target.get(GuestMemory.LONG, 0) != 0);
  }

  /** Marks memory and sees that nothing overwrites the mark while a reader goes over it twice. */
  private static void untouched(MemorySegment target) {
    target.fill((byte) 0x5a);
    for (int i = 0; i < 4; i++) {
      for (long at = 0; at < target.byteSize(); at += Long.BYTES) {
        if (target.get(GuestMemory.LONG, at) != 0x5a5a_5a5a_5a5a_5a5aL) {
          throw new AssertionError("byte 0x%x changed".formatted(at));
        }
      }
    }
  }

  @Test
  void noByteChangesAfterTheReplyToUnmap() throws Exception {
    MemorySegment target = copying();
    client.dmaUnmap(TARGET, LARGE);
    untouched(target);
    Wire.await("the fault", () -> driver.state() == HbmDriver.HALTED);
    driver.halted(HbmDriver.WRITE_FAULT);
    assertThat(driver.faultAddress()).isBetween(TARGET, TARGET + LARGE - 1);
  }

  @Test
  void noByteChangesAfterADeviceReset() throws Exception {
    MemorySegment target = copying();
    client.reset();
    untouched(target);
    driver.idle();
    assertThat(driver.interrupted()).isFalse();
    restarted(target);
  }

  @Test
  void noByteChangesAfterAFunctionLevelReset() throws Exception {
    MemorySegment target = copying();
    for (int i = 1; i <= 20; i++) {
      driver.functionLevelReset();
      untouched(target);
      driver.idle();
      assertThat(client.readInt(Wire.REGISTERS, Wire.RESET_COUNT)).isEqualTo(i);
      assertThat(driver.interrupted()).isFalse();
      driver.start();
      copyTo(target);
    }
  }

  @Test
  void noByteChangesAfterBusMasteringEnds() throws Exception {
    MemorySegment target = copying();
    driver.command(HbmDriver.MEMORY_SPACE);
    untouched(target);
    Wire.await("the halt", () -> driver.state() == HbmDriver.HALTED);
    driver.halted(HbmDriver.BUS_MASTER_DISABLED);
  }

  @Test
  void noByteChangesInD3hot() throws Exception {
    MemorySegment target = copying();
    driver.powerState(3);
    untouched(target);
    driver.powerState(0);
    restarted(target);
  }

  private void restarted(MemorySegment target) throws Exception {
    driver.start();
    driver.run(RingEntry.fill(9, TARGET, 8));
    assertThat(target.get(GuestMemory.LONG, 0)).isEqualTo(9);
  }

  @Test
  void repliesToTheOldLifeAreIgnored() throws Exception {
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, LARGE, Optional.empty());
    Semaphore asked = new Semaphore(0);
    Semaphore answer = new Semaphore(0);
    client.serveDma(
        new DmaHandler() {
          @Override
          public void read(long address, int count, ByteBuf into) {
            asked.release();
            answer.acquireUninterruptibly();
            answer.release();
            into.writeBytes(new byte[count]);
            into.setByte(into.writerIndex() - 1, 0xff);
          }

          @Override
          public void write(long address, ByteBuf data) throws RefusedException {
            throw new RefusedException(Errno.EFAULT);
          }
        });
    driver.submit(RingEntry.copy(TARGET, 0, Wire.BAR_SIZE).toBar());
    assertThat(asked.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
    // Both are on the wire before the replies to what was asked in the life before.
    client.post(Command.DEVICE_RESET, new DeviceReset.Request());
    client.regionWritePosted(Wire.MEMORY, 0, new byte[(int) Wire.BAR_SIZE]);
    answer.release();
    byte[] seen = client.regionRead(Wire.MEMORY, 0, (int) Wire.BAR_SIZE);
    same(MemorySegment.ofArray(seen), MemorySegment.ofArray(new byte[seen.length]));
    driver.start();
    driver.run(RingEntry.copy(TARGET, 0, PAGE).toBar());
    driver.idle();
    assertThat(client.regionRead(Wire.MEMORY, PAGE - 1, 1)).containsExactly(0xff);
  }
}
