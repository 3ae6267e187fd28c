package dev.peerbar.server.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.AdminOpcode;
import dev.peerbar.devices.nvme.entry.IoOpcode;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.nvme.NvmeBuffer;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.NvmeWire;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.storage.HostMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A driver that writes whatever comes to its mind into queues, lists, registers and doorbells. The
 * server does not stop, answers in time, touches nothing that is mapped for reading only, and the
 * next client finds a controller that works. For {@code -Dfuzz.seconds} seconds, {@value #SECONDS}
 * unless said.
 */
@Tag("polled")
@Timeout(value = 2, unit = TimeUnit.HOURS)
final class NvmeFuzzTest {
  private static final int SECONDS = 10;
  private static final int ENTRIES = 64;
  private static final int LIFE_STEPS = 40;
  private static final int PAGE = (int) GuestMemory.PAGE;

  /** Storage that is small, so that many ranges are within it. */
  private static final long STORAGE = 1 << 20;

  /** Memory that the device may only read. */
  private static final long READ_ONLY = 1L << 33;

  private static final long[] EDGES = {
    0,
    1,
    7,
    8,
    511,
    512,
    4095,
    4096,
    0xffff,
    0x10000,
    1L << 31,
    1L << 32,
    1L << 63,
    -1,
    -512,
    -4096,
    READ_ONLY,
    NvmeWire.RAM,
    NvmeWire.RAM + NvmeWire.RAM_SIZE - PAGE,
    NvmeWire.RAM + NvmeWire.RAM_SIZE,
    NvmeWire.CMB,
    NvmeWire.CMB + NvmeWire.CMB_SIZE - PAGE,
    NvmeWire.CMB + NvmeWire.CMB_SIZE
  };

  @TempDir private Path directory;
  private final long seed = Long.getLong("fuzz.seed", 1);
  private final Random random = new Random(seed);
  private NvmeWire wire;
  private NvmeDriver driver;
  private GuestMemory readOnly;
  private long entries;
  private long generations;
  private long fatal;

  @ParameterizedTest
  @EnumSource
  void nothingHurtsIt(DoorbellMode doorbells) throws Exception {
    System.out.printf("NVMe fuzz: -Dfuzz.seed=%d%n", seed);
    wire =
        new NvmeWire(
            directory.resolve("fuzz.sock"),
            NvmeWire.config(doorbells, NvmeWire.CMB_SIZE),
            HostMemory.storage(STORAGE));
    try (ErrorLog errors = new ErrorLog()) {
      readOnly = wire.own(new GuestMemory("nvme-rom", PAGE)).randomise(1);
      MemorySegment before = MemorySegment.ofArray(new byte[PAGE]).copyFrom(readOnly.bytes());
      connect();
      long open = OpenFiles.count();
      long end = System.nanoTime() + Long.getLong("fuzz.seconds", SECONDS) * 1_000_000_000L;
      while (System.nanoTime() < end) {
        generation();
        if (random.nextInt(8) == 0) {
          connect();
        }
      }
      connect();
      works();
      assertThat(readOnly.bytes().mismatch(before)).as("what it may only read").isEqualTo(-1);
      Wire.await("no descriptor is left", () -> OpenFiles.count() <= open);
      assertThat(errors.all()).as("errors that were logged").isEmpty();
    } finally {
      wire.close();
    }
    System.out.printf(
        "NVMe fuzz, doorbells %s: %d entries in %d generations, %d of which ended fatally%n",
        doorbells, entries, generations, fatal);
  }

  /** The client goes, whatever is under way, and the next one comes. */
  private void connect() throws IOException {
    if (driver != null) {
      driver.device().close();
    }
    driver = NvmeWire.driver(new SocketDevice(wire.reconnect()));
    wire.client().dmaMap(DmaMap.READABLE, 0, READ_ONLY, PAGE, Optional.of(readOnly.file()));
  }

  private void works() throws Exception {
    wire.client().reset();
    NvmeWire.start(driver);
    NvmeBuffer data = driver.buffer(STORAGE / 2);
    NvmeBuffer seen = driver.buffer(STORAGE / 2);
    NvmeWire.randomise(data, seed);
    NvmeQueue queue = driver.createQueue(1, ENTRIES);
    queue.succeed(NvmeWire.write(7, data));
    queue.succeed(NvmeWire.read(7, seen));
    assertThat(NvmeWire.bytes(seen).mismatch(NvmeWire.bytes(data))).isEqualTo(-1);
  }

  /** One generation of the controller, begun as it should be. */
  private void generation() throws Exception {
    generations++;
    // A fatal error, or a queue that was broken on purpose, does not keep a driver from this.
    NvmeWire.start(driver);
    List<NvmeQueue> queues = new ArrayList<>();
    queues.add(driver.createQueue(1, ENTRIES));
    queues.add(NvmeWire.createQueue(driver, 2, ENTRIES, NvmeWire.cmb(driver)));
    if (random.nextInt(4) == 0) {
      driver.ringByShadows();
      queues.add(driver.createQueue(3, ENTRIES));
    }
    for (int i = random.nextInt(LIFE_STEPS); i >= 0; i--) {
      step(queues);
    }
    int status = driver.status();
    assertThat(status & NvmeRegisters.CSTS_SHST_MASK << NvmeRegisters.CSTS_SHST_SHIFT)
        .isLessThanOrEqualTo(NvmeRegisters.CSTS_SHST_COMPLETE << NvmeRegisters.CSTS_SHST_SHIFT);
    fatal += (status & NvmeRegisters.CSTS_CFS) != 0 ? 1 : 0;
    switch (random.nextInt(4)) {
      case 0 -> driver.config().functionLevelReset();
      case 1 -> wire.client().reset();
      default -> {}
    }
  }

  private void step(List<NvmeQueue> queues) throws IOException {
    VfioUserClient client = wire.client();
    switch (random.nextInt(16)) {
      case 0 -> {
        long offset = random.nextInt(0x80) & ~3;
        // CC seldom, or little else would happen.
        if (offset != NvmeRegisters.CC || random.nextInt(8) == 0) {
          client.writeInt(NvmeRegisters.BAR, offset, (int) number());
        }
      }
      case 1 ->
          client.writeInt(
              NvmeRegisters.BAR,
              NvmeRegisters.DOORBELLS + random.nextInt(2 * NvmeWire.QUEUES + 6) * 4L,
              random.nextBoolean() ? random.nextInt(ENTRIES) : (int) number());
      case 2 -> NvmeWire.randomise(driver.buffer(PAGE), random.nextLong());
      case 3 -> driver.buffer(PAGE).list().fill(0, PAGE, (byte) random.nextInt());
      case 4 -> {
        driver.admin().discard();
        if (driver.admin().outstanding() < driver.admin().entries() - 2) {
          driver.admin().submit(queue(AdminOpcode.CREATE_IO_COMPLETION_QUEUE));
          driver.admin().submit(queue(AdminOpcode.CREATE_IO_SUBMISSION_QUEUE));
          client.writeInt(
              NvmeRegisters.BAR,
              NvmeRegisters.submissionDoorbell(NvmeWire.QUEUES),
              random.nextInt(4));
        }
      }
      case 5, 6 -> fill(driver.admin(), true);
      default -> fill(queues.get(random.nextInt(queues.size())), false);
    }
  }

  private void fill(NvmeQueue queue, boolean admin) throws IOException {
    // Data of one command may have gone over the completions of another.
    queue.discard();
    for (int i = random.nextInt(16); i >= 0; i--) {
      if (queue.outstanding() < queue.entries() - 1) {
        queue.put(entry(admin));
        entries++;
      }
    }
    queue.ring();
  }

  /** A queue that is well but for where it is. */
  private SubmissionEntry.Builder queue(AdminOpcode create) {
    return SubmissionEntry.builder(create)
        .prp1(address() & -PAGE)
        .dword(10, NvmeWire.QUEUES | 3 << 16)
        .dword(11, NvmeWire.QUEUES << 16 | 3);
  }

  private SubmissionEntry.Builder entry(boolean admin) {
    SubmissionEntry.Builder entry =
        random.nextInt(10) == 0
            ? SubmissionEntry.builder(random.nextInt(256))
            : admin
                ? SubmissionEntry.builder(pick(AdminOpcode.values()))
                : SubmissionEntry.builder(pick(IoOpcode.values()));
    entry.namespaceId(random.nextInt(8) == 0 ? (int) number() : admin ? random.nextInt(2) : 1);
    entry.psdt(random.nextInt(4) == 0 ? random.nextInt(4) : 0);
    entry.fuse(random.nextInt(16) == 0 ? random.nextInt(4) : 0);
    entry.prp1(address()).prp2(address());
    for (int dword = 10; dword < 16; dword++) {
      entry.dword(dword, random.nextBoolean() ? random.nextInt(64) : (int) number());
    }
    if (random.nextBoolean()) {
      entry.qword(10, random.nextInt(3000)).dword(12, random.nextInt(1100));
    }
    if (random.nextInt(8) == 0) {
      entry.metadataPointer(address());
    }
    return entry;
  }

  private <T> T pick(T[] values) {
    return values[random.nextInt(values.length)];
  }

  private long address() {
    long address =
        switch (random.nextInt(4)) {
          case 0 -> number();
          case 1 -> NvmeWire.CMB + random.nextLong(NvmeWire.CMB_SIZE);
          // Pages that other steps have filled with garbage, and queues: lists like no other.
          default -> NvmeWire.RAM + random.nextLong(64L * PAGE);
        };
    return random.nextInt(3) == 0 ? address : address & -PAGE;
  }

  private long number() {
    return random.nextInt(4) == 0
        ? random.nextLong()
        : EDGES[random.nextInt(EDGES.length)] + random.nextInt(3) - 1;
  }
}
