package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.ConfigLayout.PowerManagement;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.fixture.WithheldMemory;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Bus mastering over the wire: copies, faults, and everything that takes the right to them away.
 */
@Tag("polled")
@Timeout(120)
final class TransferTest {
  private static final long PAGE = GuestMemory.PAGE;
  private static final long SOURCE = 0x1_0000_0000L;
  private static final long TARGET = 0x2_0000_0000L;

  /** Memory that the client withholds. */
  private static final long FAR = 0x3_0000_0000L;

  /** Many times what a revocation may have to wait for. */
  private static final long LARGE = 16 << 20;

  @TempDir private Path directory;
  private Wire wire;
  private VfioUserClient client;
  private HbmChannel channel;
  private WithheldMemory withheld;

  @BeforeEach
  void start() throws Exception {
    wire = Wire.twinned(directory, Wire.config(DoorbellMode.TRAP));
    client = wire.client();
    withheld = new WithheldMemory(client.memory());
    channel = wire.channel(0);
  }

  @AfterEach
  void stop() {
    withheld.letGo();
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
    channel.run(Descriptor.copy(expected.byteSize()).from(SOURCE).toLocal(0).interrupt());
    Wire.idle(channel);
    byte[] seen = client.regionRead(Wire.MEMORY, 0, (int) expected.byteSize());
    same(MemorySegment.ofArray(seen), expected);
  }

  @Test
  void copiesBetweenMemoryAndMessagesOfEveryMix() throws Exception {
    long size = 3 << 20;
    MemorySegment near = mapped(SOURCE, size).randomise(3).bytes();
    MemorySegment far = distant(TARGET, size);
    channel.run(Descriptor.copy(size).from(SOURCE).to(TARGET).interrupt());
    Wire.idle(channel);
    same(far, near);
    near.fill((byte) 0);
    channel.run(Descriptor.copy(size).from(TARGET).to(SOURCE).interrupt());
    Wire.idle(channel);
    same(near, far);
    MemorySegment other = distant(TARGET + size, size);
    channel.run(Descriptor.copy(size).from(TARGET).to(TARGET + size).interrupt());
    Wire.idle(channel);
    same(other, far);
    // A range that begins in the one kind and ends in the other.
    MemorySegment both = mapped(TARGET - PAGE, PAGE).randomise(4).bytes();
    channel.run(Descriptor.copy(2 * PAGE).from(TARGET - PAGE).toLocal(0).interrupt());
    Wire.idle(channel);
    byte[] seen = client.regionRead(Wire.MEMORY, 0, (int) (2 * PAGE));
    same(MemorySegment.ofArray(seen).asSlice(0, PAGE), both);
    same(MemorySegment.ofArray(seen).asSlice(PAGE, PAGE), far.asSlice(0, PAGE));
  }

  @Test
  void aClientMayPollRegistersDuringATransferByMessages() throws Exception {
    long size = 32 << 20;
    MemorySegment near = mapped(SOURCE, size).randomise(5).bytes();
    MemorySegment far = distant(TARGET, size);
    client.serveDma(withheld);
    channel.submit(
        Descriptor.copy(size).from(SOURCE).to(TARGET).interrupt(),
        Descriptor.copy(size).from(TARGET).to(SOURCE).interrupt());
    withheld.awaitAsked();
    for (int poll = 0; poll < 100; poll++) {
      assertThat(channel.head()).isZero();
    }
    withheld.letGo();
    while (channel.head() != 2) {
      assertThat(channel.state()).isNotEqualTo(ChannelState.HALTED);
    }
    Wire.idle(channel);
    same(far, near);
  }

  @Test
  void readsAndWritesByMessagesAndLargeRepliesDoNotBlockEachOther() throws Exception {
    HbmChannel other = wire.channel(1);
    long size = 32 << 20;
    distant(SOURCE, size);
    distant(TARGET, size);
    channel.submit(
        Descriptor.copy(1 << 20).from(SOURCE).toLocal(0).interrupt(),
        Descriptor.copy(16 << 20).from(SOURCE).to(SOURCE + (16 << 20)).interrupt());
    other.submit(
        Descriptor.copy(1 << 20).fromLocal(0).to(TARGET).interrupt(),
        Descriptor.fill(7, size).to(TARGET).interrupt());
    while (channel.head() != 2 || other.head() != 2) {
      client.regionRead(Wire.MEMORY, 0, 1 << 20);
    }
    Wire.idle(channel);
    Wire.idle(other);
  }

  @Test
  void anUnmappedSourceFaultsAtItsFirstByte() throws Exception {
    mapped(SOURCE, 4 * PAGE);
    channel.run(Descriptor.copy(8 * PAGE).from(SOURCE + PAGE).toLocal(0).interrupt());
    Wire.halted(channel, ErrorCode.READ_FAULT);
    assertThat(channel.driver().faultAddress()).isEqualTo(SOURCE + 4 * PAGE);
    assertThat(channel.head()).isZero();
  }

  @Test
  void anUnmappedTargetFaultsAtItsFirstByte() throws Exception {
    mapped(SOURCE, 8 * PAGE);
    mapped(TARGET, 3 * PAGE);
    channel.run(
        Descriptor.nop().interrupt(),
        Descriptor.copy(8 * PAGE).from(SOURCE).to(TARGET).interrupt());
    Wire.await("the halt", () -> channel.state() == ChannelState.HALTED);
    Wire.halted(channel, ErrorCode.WRITE_FAULT);
    assertThat(channel.driver().faultAddress()).isEqualTo(TARGET + 3 * PAGE);
    assertThat(channel.head()).isOne();
  }

  @Test
  void permissionsAreKept() throws Exception {
    GuestMemory memory = wire.memory(PAGE).randomise(6);
    byte[] before = memory.bytes().toArray(ValueLayout.JAVA_BYTE);
    client.dmaMap(DmaMap.READABLE, 0, SOURCE, PAGE, Optional.of(memory.file()));
    channel.run(Descriptor.fill(0, PAGE).to(SOURCE).interrupt());
    Wire.halted(channel, ErrorCode.WRITE_FAULT);
    assertThat(channel.driver().faultAddress()).isEqualTo(SOURCE);
    same(memory.bytes(), MemorySegment.ofArray(before));
    client.reset();
    client.dmaMap(DmaMap.WRITEABLE, 0, TARGET, PAGE, Optional.of(memory.file()));
    channel.setUp();
    channel.run(Descriptor.copy(PAGE).from(TARGET).toLocal(0).interrupt());
    Wire.halted(channel, ErrorCode.READ_FAULT);
    assertThat(channel.driver().faultAddress()).isEqualTo(TARGET);
  }

  @Test
  void whatTheClientRefusesIsAFault() throws Exception {
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, 4 << 20, Optional.empty());
    client.memory().put(TARGET, Arena.ofAuto().allocate(1 << 20));
    channel.run(Descriptor.fill(1, 4 << 20).to(TARGET).interrupt());
    Wire.halted(channel, ErrorCode.WRITE_FAULT);
    assertThat(channel.driver().faultAddress()).isEqualTo(TARGET + (1 << 20));
  }

  // Revocations.

  /** Keeps the channel copying from memory into memory, until something ends it. */
  private MemorySegment copying() throws Exception {
    mapped(SOURCE, LARGE).randomise(7);
    MemorySegment target = mapped(TARGET, LARGE).bytes();
    distant(FAR, PAGE);
    client.serveDma(withheld);
    copyTo(target);
    return target;
  }

  /**
   * Begins as many copies as the ring takes, and waits until bytes arrive. The last one needs what
   * is withheld: however late this thread goes on, the channel has not come to its end.
   */
  private void copyTo(MemorySegment target) throws Exception {
    Descriptor[] copies = new Descriptor[Wire.ENTRIES - 1];
    Arrays.fill(copies, Descriptor.copy(LARGE).from(SOURCE).to(TARGET));
    copies[copies.length - 1] = Descriptor.copy(PAGE).from(FAR).to(TARGET);
    withheld.hold();
    target.set(GuestMemory.LONG, 0, 0);
    channel.submit(copies);
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
    withheld.letGo();
    Wire.await("the fault", () -> channel.state() == ChannelState.HALTED);
    Wire.halted(channel, ErrorCode.WRITE_FAULT);
    assertThat(channel.driver().faultAddress()).isBetween(TARGET, TARGET + LARGE - 1);
  }

  @Test
  void noByteChangesAfterADeviceReset() throws Exception {
    MemorySegment target = copying();
    client.reset();
    untouched(target);
    Wire.idle(channel);
    assertThat(channel.interrupted()).isFalse();
    restarted(target);
  }

  @Test
  void noByteChangesAfterAFunctionLevelReset() throws Exception {
    MemorySegment target = copying();
    for (int i = 1; i <= 20; i++) {
      channel.driver().device().reset();
      untouched(target);
      Wire.idle(channel);
      assertThat(client.readInt(Wire.REGISTERS, Wire.RESET_COUNT)).isEqualTo(i);
      assertThat(channel.interrupted()).isFalse();
      channel.setUp();
      copyTo(target);
    }
  }

  @Test
  void noByteChangesAfterBusMasteringEnds() throws Exception {
    MemorySegment target = copying();
    channel.driver().config().busMaster(false);
    untouched(target);
    withheld.letGo();
    Wire.await("the halt", () -> channel.state() == ChannelState.HALTED);
    Wire.halted(channel, ErrorCode.BUS_MASTER_DISABLED);
  }

  @Test
  void noByteChangesInD3hot() throws Exception {
    MemorySegment target = copying();
    channel.driver().config().powerState(PowerManagement.D3HOT);
    untouched(target);
    channel.driver().config().powerState(PowerManagement.D0);
    restarted(target);
  }

  private void restarted(MemorySegment target) throws Exception {
    channel.setUp();
    channel.run(Descriptor.fill(9, 8).to(TARGET).interrupt());
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
    channel.submit(Descriptor.copy(Wire.BAR_SIZE).from(TARGET).toLocal(0).interrupt());
    assertThat(asked.tryAcquire(20, TimeUnit.SECONDS)).isTrue();
    // Both are on the wire before the replies to what was asked in the state before.
    client.post(Command.DEVICE_RESET, new DeviceReset.Request());
    client.regionWritePosted(Wire.MEMORY, 0, new byte[(int) Wire.BAR_SIZE]);
    answer.release();
    byte[] seen = client.regionRead(Wire.MEMORY, 0, (int) Wire.BAR_SIZE);
    same(MemorySegment.ofArray(seen), MemorySegment.ofArray(new byte[seen.length]));
    channel.setUp();
    channel.run(Descriptor.copy(PAGE).from(TARGET).toLocal(0).interrupt());
    Wire.idle(channel);
    assertThat(client.regionRead(Wire.MEMORY, PAGE - 1, 1)).containsExactly(0xff);
  }
}
