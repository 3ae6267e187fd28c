package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaArea;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Memory;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.Doorbells;
import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.ShadowDoorbells;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.driver.socket.SocketDevice.Access;
import dev.peerbar.driver.socket.SocketDevice.Reach;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.storage.HostMemory;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An NVMe controller over the wire: queues, every way that data can go, every way to ring. */
@Tag("polled")
@Timeout(120)
final class NvmeTest {
  private static final int ENTRIES = 64;
  private static final int LARGEST = 512 << 10;
  private static final int BLOCKS_OF_LARGEST = LARGEST / NvmeWire.LBA;

  @TempDir private Path directory;

  private static void same(MemorySegment actual, MemorySegment expected) {
    assertThat(actual.mismatch(expected)).as("first differing byte").isEqualTo(-1);
  }

  @ParameterizedTest
  @EnumSource
  void tellsWhatItIs(Reach reach) throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.start(reach);
      assertThat(driver.requestQueues(256)).isEqualTo(NvmeWire.QUEUES);
      assertThat(driver.identify().serialNumber()).isEqualTo("PB-WIRE");
      assertThat(driver.identify().model()).isEqualTo("Peerbar NVMe");
      assertThat(driver.identifyNamespace().blocks())
          .as("NSZE")
          .isEqualTo(NvmeWire.STORAGE_SIZE / NvmeWire.LBA);
      assertThat(NvmeWire.interrupts(driver)).as("nobody waits for these").isSubsetOf(0);
    }
  }

  private static String text(MemorySegment bytes, long offset, int length) {
    byte[] copy = new byte[length];
    MemorySegment.ofArray(copy).copyFrom(bytes.asSlice(offset, length));
    return new String(copy, StandardCharsets.US_ASCII).strip();
  }

  /** Pages in the driver's memory, reached directly or by messages, and in the own CMB. */
  private enum Place {
    MEMORY,
    MESSAGES,
    CMB;

    Reach reach() {
      return this == MESSAGES ? Reach.BY_MESSAGES : Reach.DIRECTLY;
    }

    /** Where buffers and the submission queue are to be. */
    DmaArea area(NvmeDriver driver) throws IOException {
      return this == CMB ? NvmeWire.cmb(driver) : driver.memory();
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatWasWrittenIsRead(Place place) throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.start(place.reach());
      DmaArea area = place.area(driver);
      NvmeQueue queue = NvmeWire.createQueue(driver, 1, ENTRIES, area);
      NvmeBuffer from = NvmeBuffer.in(area, LARGEST);
      NvmeBuffer to = NvmeBuffer.in(area, LARGEST);
      // Lengths that take one PRP entry, two, and a list.
      for (int length : new int[] {512, 4096, 4608, 8192, 12288, 131072, LARGEST}) {
        NvmeWire.randomise(from, length);
        to.data().fill(0, to.length(), (byte) 0x5a);
        NvmeBuffer written = from.slice(0, length);
        NvmeBuffer read = to.slice(0, length);
        long lba = 1000L * length;
        lba %= NvmeWire.STORAGE_SIZE / NvmeWire.LBA - BLOCKS_OF_LARGEST;
        queue.succeed(NvmeWire.write(lba, written));
        queue.succeed(NvmeWire.read(lba, read));
        same(NvmeWire.bytes(read), NvmeWire.bytes(written));
        long rest = LARGEST - length;
        assertThat(NvmeWire.bytes(to).asSlice(length, rest).mismatch(filled((int) rest)))
            .as("nothing beyond it is written")
            .isEqualTo(-1);
        queue.succeed(NvmeCommands.compare(lba, length / NvmeWire.LBA, written.pointer()));
      }
      queue.succeed(NvmeCommands.flush());
    }
  }

  private static MemorySegment filled(int length) {
    return MemorySegment.ofArray(new byte[length]).fill((byte) 0x5a);
  }

  @Test
  void blocksAreZeroUntilWrittenAndOnceZeroed() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      NvmeBuffer data = driver.buffer(4096);
      data.data().fill(0, data.length(), (byte) 1);
      MemorySegment zeros = MemorySegment.ofArray(new byte[4096]);
      queue.succeed(NvmeWire.read(8, data));
      same(NvmeWire.bytes(data), zeros);
      data.data().fill(0, data.length(), (byte) 1);
      queue.succeed(NvmeWire.write(8, data));
      queue.succeed(NvmeCommands.onBlocks(IoOpcode.WRITE_ZEROES, 8, 8, DataPointer.NONE));
      queue.succeed(NvmeWire.read(8, data));
      same(NvmeWire.bytes(data), zeros);
    }
  }

  @Test
  void aCommandThatFailsItsChecksChangesNothing() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      NvmeBuffer data = driver.buffer(8192);
      NvmeBuffer seen = driver.buffer(8192);
      data.data().fill(0, data.length(), (byte) 1);
      queue.succeed(NvmeWire.write(0, data));
      data.data().fill(0, data.length(), (byte) 2);
      long blocks = NvmeWire.STORAGE_SIZE / NvmeWire.LBA;
      assertThat(queue.execute(NvmeWire.write(blocks - 8, data)).status())
          .isEqualTo(Status.LBA_OUT_OF_RANGE);
      assertThat(queue.execute(NvmeWire.write(0, data).namespaceId(2)).status())
          .isEqualTo(Status.INVALID_NAMESPACE_OR_FORMAT);
      assertThat(queue.execute(NvmeWire.write(0, data).prp2(data.data().iova() + 8)).status())
          .isEqualTo(Status.PRP_OFFSET_INVALID);
      assertThat(queue.execute(SubmissionEntry.builder(0x7f).namespaceId(1)).status())
          .isEqualTo(Status.INVALID_COMMAND_OPCODE);
      // The second page is not there: the first must not be written either.
      assertThat(queue.execute(NvmeWire.write(0, data).prp2(1L << 50)).status())
          .isEqualTo(Status.DATA_TRANSFER_ERROR);
      queue.succeed(NvmeWire.read(0, seen));
      data.data().fill(0, data.length(), (byte) 1);
      same(NvmeWire.bytes(seen), NvmeWire.bytes(data));
      assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
    }
  }

  @Test
  void manyCommandsOfSeveralQueuesAreAllExecutedOnce() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory);
        ExecutorService threads = Executors.newCachedThreadPool()) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      List<Future<?>> running = new ArrayList<>();
      for (NvmeQueue queue : driver.createQueues(NvmeWire.QUEUES, ENTRIES)) {
        NvmeBuffer[] buffers = new NvmeBuffer[ENTRIES];
        for (int i = 0; i < ENTRIES; i++) {
          buffers[i] = driver.buffer(8192);
        }
        long base = running.size() * 10_000L;
        running.add(threads.submit(() -> verify(queue, buffers, base)));
      }
      for (Future<?> one : running) {
        one.get(100, TimeUnit.SECONDS);
      }
    }
  }

  /** Writes and reads as many at a time as the queue takes, and looks at each. */
  private static Void verify(NvmeQueue queue, NvmeBuffer[] buffers, long base) throws Exception {
    int depth = queue.entries() - 1;
    for (int round = 0; round < 40; round++) {
      for (int i = 0; i < depth; i++) {
        NvmeWire.randomise(buffers[i], base + round * depth + i);
        queue.put(NvmeWire.write(base + 16L * i, buffers[i]));
      }
      allSucceed(queue, depth);
      for (int i = 0; i < depth; i++) {
        buffers[i].data().clear();
        queue.put(NvmeWire.read(base + 16L * i, buffers[i]));
      }
      allSucceed(queue, depth);
      byte[] expected = new byte[8192];
      for (int i = 0; i < depth; i++) {
        GuestMemory.randomise(MemorySegment.ofArray(expected), base + round * depth + i);
        same(NvmeWire.bytes(buffers[i]), MemorySegment.ofArray(expected));
      }
    }
    return null;
  }

  private static void allSucceed(NvmeQueue queue, int count) throws IOException {
    queue.ring();
    BitSet completed = new BitSet();
    for (int i = 0; i < count; i++) {
      CompletionEntry entry = queue.await();
      assertThat(entry.status()).isEqualTo(Status.SUCCESS);
      assertThat(completed.get(entry.commandId())).as("completed twice").isFalse();
      completed.set(entry.commandId());
    }
  }

  @Test
  void mappedDoorbellsAreRungByStores() throws Exception {
    NvmeConfig config = NvmeWire.config(DoorbellMode.MAP, NvmeWire.CMB_SIZE);
    try (NvmeWire wire = NvmeWire.inMemory(directory, config)) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      driver.ringBy(new Doorbells.Registers(shared(driver)));
      List<NvmeQueue> queues = driver.createQueues(NvmeWire.QUEUES, ENTRIES);
      rounds(driver, queues);
      driver.config().functionLevelReset();
      assertThat(shared(driver).read(NvmeRegisters.DOORBELLS, 4096))
          .as("cleared by the reset")
          .containsOnly(0);
      NvmeWire.start(driver);
      driver.ringBy(new Doorbells.Registers(shared(driver)));
      rounds(driver, driver.createQueues(NvmeWire.QUEUES, ENTRIES));
    }
  }

  @Test
  void shadowDoorbellsSpareMostWrites() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      ShadowDoorbells shadow = driver.ringByShadows();
      List<NvmeQueue> queues = driver.createQueues(NvmeWire.QUEUES, ENTRIES);
      for (int i = 0; i < 10; i++) {
        rounds(driver, queues);
      }
      System.out.printf(
          "shadow doorbells: %d stores, %d writes of registers%n", shadow.stores(), shadow.rings());
      assertThat(shadow.rings()).isLessThan(shadow.stores());
    }
  }

  /** A driver with shadows, and beside it the queues of somebody who has none. */
  @ParameterizedTest
  @EnumSource(DoorbellMode.class)
  void queuesOfOthersAreRungByTheirRegisters(DoorbellMode doorbells) throws Exception {
    NvmeConfig config = NvmeWire.config(doorbells, NvmeWire.CMB_SIZE);
    try (NvmeWire wire = NvmeWire.inMemory(directory, config)) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      driver.ringByShadows();
      List<NvmeQueue> queues = new ArrayList<>();
      queues.add(driver.createQueue(1, ENTRIES));
      if (doorbells == DoorbellMode.MAP) {
        driver.ringBy(new Doorbells.Registers(shared(driver)));
      } else {
        driver.ringBy(new Doorbells.Registers(driver.registers()));
      }
      queues.add(driver.createQueue(2, ENTRIES));
      queues.add(driver.createQueue(3, 4));
      for (int i = 0; i < 5; i++) {
        rounds(driver, queues);
      }
      assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
    }
  }

  /** The layout of the guest's memory changes right after the last command, again and again. */
  @Test
  void memoryThatIsMappedAnewIsNoFaultOfShadowDoorbells() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      SocketDevice device = wire.own(new SocketDevice(wire.client()));
      NvmeDriver driver = NvmeWire.start(NvmeWire.driver(device));
      DmaRange memory = driver.memory().memory();
      driver.ringByShadows();
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      NvmeBuffer data = driver.buffer(4096);
      for (int i = 0; i < 200; i++) {
        queue.succeed(NvmeWire.read(i, data));
        long until = System.nanoTime() + i * 10_000L;
        while (System.nanoTime() < until) {
          Thread.onSpinWait();
        }
        device.unmap(memory);
        device.mapAgain(memory);
        assertThat(driver.status()).as("CSTS, round %d", i).isEqualTo(NvmeRegisters.CSTS_RDY);
      }
    }
  }

  /** BAR 0, with its page of doorbells mapped. */
  private static Memory shared(NvmeDriver driver) throws IOException {
    return ((SocketDevice) driver.device()).bar(NvmeRegisters.BAR, Access.SHARED);
  }

  /** Every queue full of commands at once, many times. */
  private static void rounds(NvmeDriver driver, List<NvmeQueue> queues) throws IOException {
    NvmeBuffer data = driver.buffer(4096);
    for (int round = 0; round < 20; round++) {
      for (NvmeQueue queue : queues) {
        for (int i = 0; i < queue.entries() - 1; i++) {
          queue.put(NvmeWire.write(i * 8L, data));
        }
        queue.ring();
      }
      for (NvmeQueue queue : queues) {
        while (queue.outstanding() > 0) {
          assertThat(queue.await().status()).isEqualTo(Status.SUCCESS);
        }
      }
    }
  }

  /** Reaches the driver's memory and, as a root complex would, another endpoint's BAR. */
  private record Fabric(MemorySegment ram, VfioUserClient peer, long bar, long size)
      implements DmaHandler {
    @Override
    public void read(long address, int count, ByteBuf into) throws RefusedException {
      try {
        if (atPeer(address, count)) {
          into.writeBytes(peer.regionRead(NvmeRegisters.CMB_BAR, address - bar, count));
        } else {
          into.writeBytes(slice(address, count).asByteBuffer());
        }
      } catch (IOException e) {
        throw new RefusedException(Errno.EIO);
      }
    }

    @Override
    public void write(long address, ByteBuf data) throws RefusedException {
      try {
        byte[] bytes = ByteBufUtil.getBytes(data);
        if (atPeer(address, bytes.length)) {
          peer.regionWrite(NvmeRegisters.CMB_BAR, address - bar, bytes);
        } else {
          slice(address, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        }
      } catch (IOException e) {
        throw new RefusedException(Errno.EIO);
      }
    }

    private boolean atPeer(long address, int count) {
      return address >= bar && address + count <= bar + size;
    }

    private MemorySegment slice(long address, int count) {
      return ram.asSlice(address - NvmeWire.RAM, count);
    }
  }

  @ParameterizedTest
  @EnumSource
  void dataGoFromOneEndpointToAnother(Reach reach) throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory);
        NvmeWire other =
            new NvmeWire(
                directory.resolve("other.sock"),
                new NvmeConfig(NvmeWire.LBA, NvmeWire.CMB_SIZE, 1, DoorbellMode.TRAP, "PB-OTHER"),
                HostMemory.storage(NvmeWire.STORAGE_SIZE))) {
      NvmeDriver driver = wire.driver(reach);
      NvmeDriver peer = other.start(Reach.DIRECTLY);
      long bar = 1L << 41;
      wire.client().dmaMap(Wire.READ_WRITE, 0, bar, NvmeWire.CMB_SIZE, Optional.empty());
      wire.client()
          .serveDma(new Fabric(NvmeWire.ram(driver), other.client(), bar, NvmeWire.CMB_SIZE));
      NvmeWire.start(driver);
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      NvmeQueue peerQueue = peer.createQueue(1, ENTRIES);
      NvmeBuffer inPeer = NvmeBuffer.in(NvmeWire.cmb(peer), LARGEST);
      DmaRange there = inPeer.data();
      NvmeBuffer distant =
          new NvmeBuffer(
              new DmaRange(
                  there.memory(), there.offset(), bar + there.iova() - NvmeWire.CMB, LARGEST),
              driver.allocate(4096));
      // From the peer's disk into its CMB, from there to ours, and all the way back.
      NvmeBuffer data = peer.buffer(LARGEST);
      NvmeWire.randomise(data, 7);
      peerQueue.succeed(NvmeWire.write(100, data));
      peerQueue.succeed(NvmeWire.read(100, inPeer));
      queue.succeed(NvmeWire.write(2000, distant));
      inPeer.data().fill(0, inPeer.length(), (byte) 0);
      queue.succeed(NvmeWire.read(2000, distant));
      same(NvmeWire.bytes(inPeer), NvmeWire.bytes(data));
      data.data().fill(0, data.length(), (byte) 0);
      peerQueue.succeed(NvmeWire.write(5000, inPeer));
      peerQueue.succeed(NvmeWire.read(5000, data));
      same(NvmeWire.bytes(inPeer), NvmeWire.bytes(data));
      // The peer's memory goes: the command fails, and the next one works.
      wire.client().dmaUnmap(bar, NvmeWire.CMB_SIZE);
      assertThat(queue.execute(NvmeWire.write(2000, distant)).status())
          .isEqualTo(Status.DATA_TRANSFER_ERROR);
      NvmeBuffer own = driver.buffer(LARGEST);
      queue.succeed(NvmeWire.read(2000, own));
      peerQueue.succeed(NvmeWire.read(100, data));
      same(NvmeWire.bytes(own), NvmeWire.bytes(data));
    }
  }

  @Test
  void blocksSurviveResetsAndClients() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.start(Reach.DIRECTLY);
      NvmeBuffer data = driver.buffer(LARGEST);
      NvmeWire.randomise(data, 3);
      driver.createQueue(1, ENTRIES).succeed(NvmeWire.write(77, data));
      MemorySegment expected = NvmeWire.bytes(data);
      Random random = new Random(5);
      for (int i = 0; i < 10; i++) {
        switch (random.nextInt(4)) {
          case 0 -> driver.disable();
          case 1 -> driver.config().functionLevelReset();
          case 2 -> wire.client().reset();
          default -> {
            wire.reconnect();
            driver = wire.driver(Reach.DIRECTLY);
          }
        }
        NvmeWire.start(driver);
        NvmeBuffer seen = driver.buffer(LARGEST);
        driver.createQueue(1, ENTRIES).succeed(NvmeWire.read(77, seen));
        same(NvmeWire.bytes(seen), expected);
      }
    }
  }
}
