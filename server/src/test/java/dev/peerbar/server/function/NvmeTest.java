package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.Mapping;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.client.DmaHandler;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.NvmeBuffer;
import dev.peerbar.server.fixture.NvmeDoorbells;
import dev.peerbar.server.fixture.NvmeDriver;
import dev.peerbar.server.fixture.NvmeQueue;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An NVMe controller over the wire: queues, every way that data can go, every way to ring. */
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
  void tellsWhatItIs(NvmeDriver.Reach reach) throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.driver(reach).start();
      assertThat(driver.queues()).isEqualTo(NvmeWire.QUEUES);
      MemorySegment controller = driver.identify(1, 0);
      assertThat(text(controller, 4, 20)).isEqualTo("PB-WIRE");
      assertThat(text(controller, 24, 40)).isEqualTo("Peerbar NVMe");
      MemorySegment namespace = driver.identify(0, 1);
      assertThat(namespace.get(GuestMemory.LONG, 0))
          .as("NSZE")
          .isEqualTo(NvmeWire.STORAGE_SIZE / NvmeWire.LBA);
      assertThat(driver.interrupts()).as("nobody waits for these").isSubsetOf(0);
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

    NvmeDriver.Reach reach() {
      return this == MESSAGES ? NvmeDriver.Reach.BY_MESSAGES : NvmeDriver.Reach.DIRECTLY;
    }

    NvmeBuffer buffer(NvmeDriver driver, long size) {
      return this == CMB ? driver.cmb(size) : driver.ram(size);
    }

    NvmeQueue queue(NvmeDriver driver, int id) throws IOException {
      return this == CMB ? driver.createQueueInCmb(id, ENTRIES) : driver.createQueue(id, ENTRIES);
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatWasWrittenIsRead(Place place) throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.driver(place.reach()).start();
      NvmeQueue queue = place.queue(driver, 1);
      NvmeBuffer from = place.buffer(driver, LARGEST);
      NvmeBuffer to = place.buffer(driver, LARGEST);
      // Lengths that take one PRP entry, two, and a list.
      for (int length : new int[] {512, 4096, 4608, 8192, 12288, 131072, LARGEST}) {
        GuestMemory.randomise(from.bytes(), length);
        to.bytes().fill((byte) 0x5a);
        NvmeBuffer written = from.slice(0, length);
        NvmeBuffer read = to.slice(0, length);
        long lba = 1000L * length;
        lba %= NvmeWire.STORAGE_SIZE / NvmeWire.LBA - BLOCKS_OF_LARGEST;
        queue.succeed(NvmeDriver.write(lba, written));
        queue.succeed(NvmeDriver.read(lba, read));
        same(read.bytes(), written.bytes());
        long rest = LARGEST - length;
        assertThat(to.bytes().asSlice(length, rest).mismatch(filled((int) rest)))
            .as("nothing beyond it is written")
            .isEqualTo(-1);
        queue.succeed(
            written.point(
                NvmeDriver.command(IoOpcode.COMPARE, lba, length / NvmeWire.LBA), length));
      }
      queue.succeed(NvmeDriver.flush());
    }
  }

  private static MemorySegment filled(int length) {
    return MemorySegment.ofArray(new byte[length]).fill((byte) 0x5a);
  }

  @Test
  void blocksAreZeroUntilWrittenAndOnceZeroed() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      NvmeBuffer data = driver.ram(4096);
      data.bytes().fill((byte) 1);
      MemorySegment zeros = MemorySegment.ofArray(new byte[4096]);
      queue.succeed(NvmeDriver.read(8, data));
      same(data.bytes(), zeros);
      data.bytes().fill((byte) 1);
      queue.succeed(NvmeDriver.write(8, data));
      queue.succeed(NvmeDriver.command(IoOpcode.WRITE_ZEROES, 8, 8));
      queue.succeed(NvmeDriver.read(8, data));
      same(data.bytes(), zeros);
    }
  }

  @Test
  void aCommandThatFailsItsChecksChangesNothing() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      NvmeBuffer data = driver.ram(8192);
      NvmeBuffer seen = driver.ram(8192);
      data.bytes().fill((byte) 1);
      queue.succeed(NvmeDriver.write(0, data));
      data.bytes().fill((byte) 2);
      long blocks = NvmeWire.STORAGE_SIZE / NvmeWire.LBA;
      queue.fail(Status.LBA_OUT_OF_RANGE, NvmeDriver.write(blocks - 8, data));
      queue.fail(Status.INVALID_NAMESPACE_OR_FORMAT, NvmeDriver.write(0, data).namespaceId(2));
      queue.fail(Status.PRP_OFFSET_INVALID, NvmeDriver.write(0, data).prp2(data.iova() + 8));
      queue.fail(Status.INVALID_COMMAND_OPCODE, SubmissionEntry.builder(0x7f).namespaceId(1));
      // The second page is not there: the first must not be written either.
      queue.fail(Status.DATA_TRANSFER_ERROR, NvmeDriver.write(0, data).prp2(1L << 50));
      queue.succeed(NvmeDriver.read(0, seen));
      data.bytes().fill((byte) 1);
      same(seen.bytes(), data.bytes());
      assertThat(driver.status()).isEqualTo(NvmeRegisters.CSTS_RDY);
    }
  }

  @Test
  void manyCommandsOfSeveralQueuesAreAllExecutedOnce() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory);
        ExecutorService threads = Executors.newCachedThreadPool()) {
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      List<Future<?>> running = new ArrayList<>();
      for (NvmeQueue queue : driver.createQueues(NvmeWire.QUEUES, ENTRIES)) {
        NvmeBuffer[] buffers = new NvmeBuffer[ENTRIES];
        for (int i = 0; i < ENTRIES; i++) {
          buffers[i] = driver.ram(8192);
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
        GuestMemory.randomise(buffers[i].bytes(), base + round * depth + i);
        queue.put(NvmeDriver.write(base + 16L * i, buffers[i]));
      }
      allSucceed(queue, depth);
      for (int i = 0; i < depth; i++) {
        buffers[i].bytes().fill((byte) 0);
        queue.put(NvmeDriver.read(base + 16L * i, buffers[i]));
      }
      allSucceed(queue, depth);
      byte[] expected = new byte[8192];
      for (int i = 0; i < depth; i++) {
        GuestMemory.randomise(MemorySegment.ofArray(expected), base + round * depth + i);
        same(buffers[i].bytes(), MemorySegment.ofArray(expected));
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
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      Mapping page = wire.own(driver.ringByStores());
      List<NvmeQueue> queues = driver.createQueues(NvmeWire.QUEUES, ENTRIES);
      rounds(driver, queues);
      driver.config().functionLevelReset();
      assertThat(page.segment().mismatch(MemorySegment.ofArray(new byte[4096])))
          .as("cleared by the reset")
          .isEqualTo(-1);
      driver.start();
      wire.own(driver.ringByStores());
      rounds(driver, driver.createQueues(NvmeWire.QUEUES, ENTRIES));
    }
  }

  @Test
  void shadowDoorbellsSpareMostWrites() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      NvmeDoorbells.Shadow shadow = driver.ringByShadow();
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
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      driver.ringByShadow();
      List<NvmeQueue> queues = new ArrayList<>();
      queues.add(driver.createQueue(1, ENTRIES));
      if (doorbells == DoorbellMode.MAP) {
        wire.own(driver.ringByStores());
      } else {
        driver.ringByRegisters();
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
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      driver.ringByShadow();
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      NvmeBuffer data = driver.ram(4096);
      for (int i = 0; i < 200; i++) {
        queue.succeed(NvmeDriver.read(i, data));
        long until = System.nanoTime() + i * 10_000L;
        while (System.nanoTime() < until) {
          Thread.onSpinWait();
        }
        driver.mapAnew();
        assertThat(driver.status()).as("CSTS, round %d", i).isEqualTo(NvmeRegisters.CSTS_RDY);
      }
    }
  }

  /** Every queue full of commands at once, many times. */
  private static void rounds(NvmeDriver driver, List<NvmeQueue> queues) throws IOException {
    NvmeBuffer data = driver.ram(4096);
    for (int round = 0; round < 20; round++) {
      for (NvmeQueue queue : queues) {
        for (int i = 0; i < queue.entries() - 1; i++) {
          queue.put(NvmeDriver.write(i * 8L, data));
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
      return ram.asSlice(address - NvmeDriver.RAM, count);
    }
  }

  @ParameterizedTest
  @EnumSource
  void dataGoFromOneEndpointToAnother(NvmeDriver.Reach reach) throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory);
        NvmeWire other =
            new NvmeWire(
                directory.resolve("other.sock"),
                new NvmeConfig(NvmeWire.LBA, NvmeWire.CMB_SIZE, 1, DoorbellMode.TRAP, "PB-OTHER"),
                HostMemory.storage(NvmeWire.STORAGE_SIZE))) {
      NvmeDriver driver = wire.driver(reach);
      NvmeDriver peer = other.driver(NvmeDriver.Reach.DIRECTLY).start();
      long bar = 1L << 41;
      wire.client().dmaMap(Wire.READ_WRITE, 0, bar, NvmeWire.CMB_SIZE, Optional.empty());
      wire.client()
          .serveDma(new Fabric(driver.memory().bytes(), other.client(), bar, NvmeWire.CMB_SIZE));
      driver.start();
      NvmeQueue queue = driver.createQueue(1, ENTRIES);
      NvmeQueue peerQueue = peer.createQueue(1, ENTRIES);
      NvmeBuffer list = driver.ram(4096);
      NvmeBuffer inPeer = peer.cmb(LARGEST);
      long iova = bar + inPeer.iova() - NvmeDriver.CMB;
      NvmeBuffer distant = new NvmeBuffer(inPeer.bytes(), iova, list.bytes(), list.iova());
      // From the peer's disk into its CMB, from there to ours, and all the way back.
      NvmeBuffer data = peer.ram(LARGEST);
      GuestMemory.randomise(data.bytes(), 7);
      peerQueue.succeed(NvmeDriver.write(100, data));
      peerQueue.succeed(NvmeDriver.read(100, inPeer));
      queue.succeed(NvmeDriver.write(2000, distant));
      inPeer.bytes().fill((byte) 0);
      queue.succeed(NvmeDriver.read(2000, distant));
      same(inPeer.bytes(), data.bytes());
      data.bytes().fill((byte) 0);
      peerQueue.succeed(NvmeDriver.write(5000, inPeer));
      peerQueue.succeed(NvmeDriver.read(5000, data));
      same(inPeer.bytes(), data.bytes());
      // The peer's memory goes: the command fails, and the next one works.
      wire.client().dmaUnmap(bar, NvmeWire.CMB_SIZE);
      queue.fail(Status.DATA_TRANSFER_ERROR, NvmeDriver.write(2000, distant));
      NvmeBuffer own = driver.ram(LARGEST);
      queue.succeed(NvmeDriver.read(2000, own));
      peerQueue.succeed(NvmeDriver.read(100, data));
      same(own.bytes(), data.bytes());
    }
  }

  @Test
  void blocksSurviveResetsAndClients() throws Exception {
    try (NvmeWire wire = NvmeWire.inMemory(directory)) {
      NvmeDriver driver = wire.driver(NvmeDriver.Reach.DIRECTLY).start();
      NvmeBuffer data = driver.ram(LARGEST);
      GuestMemory.randomise(data.bytes(), 3);
      driver.createQueue(1, ENTRIES).succeed(NvmeDriver.write(77, data));
      MemorySegment expected = MemorySegment.ofArray(new byte[LARGEST]).copyFrom(data.bytes());
      Random random = new Random(5);
      for (int i = 0; i < 10; i++) {
        switch (random.nextInt(4)) {
          case 0 -> driver.disable();
          case 1 -> driver.config().functionLevelReset();
          case 2 -> wire.client().reset();
          default -> {
            wire.reconnect();
            driver = wire.driver(NvmeDriver.Reach.DIRECTLY);
          }
        }
        driver.start();
        NvmeBuffer seen = driver.ram(LARGEST);
        driver.createQueue(1, ENTRIES).succeed(NvmeDriver.read(77, seen));
        same(seen.bytes(), expected);
      }
    }
  }
}
