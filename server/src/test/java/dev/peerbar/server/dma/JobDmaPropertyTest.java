package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.endpoint.Dma;
import dev.peerbar.endpoint.DmaFaultException;
import dev.peerbar.endpoint.DmaFaultException.Access;
import dev.peerbar.endpoint.DmaFaultException.Reason;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Transfers beside a copy byte by byte, over pages mapped in any order, or not at all. */
final class JobDmaPropertyTest {
  private static final long PAGE = DmaTable.PAGE_SIZE;
  private static final int PAGES = 160;
  private static final long BASE = 1L << 40;
  private static final int BYTES = (int) (PAGES * PAGE);
  private static final int TRANSFERS = 20;
  private static final int UNMAPPED = -1;

  // Which page of the file is behind a page of addresses, and what may be done to it.
  private final int[] filePage = new int[PAGES];
  private final boolean[] readable = new boolean[PAGES];
  private final boolean[] writable = new boolean[PAGES];
  private byte[] expected;
  private byte[] local;

  /** The bytes that can be moved, and why no more. */
  private record Outcome(long moved, Access access, Reason reason) {
    static Outcome all(long length) {
      return new Outcome(length, null, null);
    }
  }

  private interface Transfer {
    void run() throws Exception;
  }

  @Property(tries = 100, seed = "1")
  void moveWhatTheyMay(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    BusMaster bus = new BusMaster(Runnable::run, 1000);
    bus.enable(true);
    Dma dma = bus.dma(new JobState(), new EngineName("test", "engine"), new Bounce());
    FileDescriptor file = SharedMemory.create("job-dma", BYTES);
    Mapping ram = SharedMemory.map(file, 0, BYTES, SharedMemory.Access.READ_WRITE);
    try (Arena arena = Arena.ofConfined()) {
      expected = new byte[BYTES];
      random.nextBytes(expected);
      ram.segment().copyFrom(MemorySegment.ofArray(expected));
      local = new byte[BYTES];
      MemorySegment device = arena.allocate(BYTES);
      map(bus.table(), random, file);
      for (int i = 0; i < TRANSFERS; i++) {
        transfer(dma, random, device);
        remap(bus.table(), random, file);
      }
      assertThat(ram.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(expected);
      assertThat(device.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(local);
    } finally {
      bus.table().clear();
      ram.close();
      file.close();
    }
  }

  private void map(DmaTable table, Random random, FileDescriptor file) throws Exception {
    Arrays.fill(filePage, UNMAPPED);
    int holes = random.nextInt(4);
    for (int page = 0; page < PAGES; page++) {
      if (random.nextInt(100) >= holes) {
        map(table, random, file, page);
      }
    }
  }

  private void map(DmaTable table, Random random, FileDescriptor file, int page) throws Exception {
    // Two file pages are never behind two addresses: the order of a copy would matter.
    filePage[page] = page ^ (page / 16 % 2);
    readable[page] = random.nextInt(100) > 0;
    writable[page] = !readable[page] || random.nextInt(100) > 0;
    table.map(
        BASE + page * PAGE,
        PAGE,
        readable[page],
        writable[page],
        filePage[page] * PAGE,
        Optional.of(file.duplicate()));
  }

  /** Takes a page away, or gives it back, while the job has it in mind. */
  private void remap(DmaTable table, Random random, FileDescriptor file) throws Exception {
    int page = random.nextInt(PAGES);
    if (filePage[page] == UNMAPPED) {
      map(table, random, file, page);
    } else {
      table.unmap(BASE + page * PAGE, PAGE);
      filePage[page] = UNMAPPED;
    }
  }

  private void transfer(Dma dma, Random random, MemorySegment device) throws Exception {
    int length = random.nextInt(BYTES / 2);
    int from = random.nextInt(BYTES / 2 - length + 1);
    int to = BYTES / 2 + random.nextInt(BYTES / 2 - length + 1);
    MemorySegment part = device.asSlice(from, length);
    switch (random.nextInt(3)) {
      case 0 -> {
        Outcome outcome = outcome(length, from, NONE);
        check(outcome, from, to, () -> dma.read(BASE + from, part));
        for (int i = 0; i < outcome.moved; i++) {
          local[from + i] = expected[place(from + i)];
        }
      }
      case 1 -> {
        Outcome outcome = outcome(length, NONE, to);
        check(outcome, from, to, () -> dma.write(BASE + to, part));
        for (int i = 0; i < outcome.moved; i++) {
          expected[place(to + i)] = local[from + i];
        }
      }
      default -> {
        Outcome outcome = outcome(length, from, to);
        check(outcome, from, to, () -> dma.copy(BASE + from, BASE + to, length));
        for (int i = 0; i < outcome.moved; i++) {
          expected[place(to + i)] = expected[place(from + i)];
        }
      }
    }
  }

  private static final int NONE = -1;

  private int place(int at) {
    return (int) (filePage[(int) (at / PAGE)] * PAGE + at % PAGE);
  }

  private Outcome outcome(int length, int from, int to) {
    for (int i = 0; i < length; i++) {
      Reason source = from == NONE ? null : fault((int) ((from + i) / PAGE), readable);
      if (source != null) {
        return new Outcome(i, Access.READ, source);
      }
      Reason target = to == NONE ? null : fault((int) ((to + i) / PAGE), writable);
      if (target != null) {
        return new Outcome(i, Access.WRITE, target);
      }
    }
    return Outcome.all(length);
  }

  private Reason fault(int page, boolean[] permitted) {
    if (filePage[page] == UNMAPPED) {
      return Reason.UNMAPPED;
    }
    return permitted[page] ? null : Reason.NOT_PERMITTED;
  }

  private static void check(Outcome outcome, int from, int to, Transfer transfer) throws Exception {
    try {
      transfer.run();
      assertThat(outcome.reason).isNull();
    } catch (DmaFaultException fault) {
      assertThat(fault.access()).isEqualTo(outcome.access);
      assertThat(fault.reason()).isEqualTo(outcome.reason);
      assertThat(fault.transferred()).isEqualTo(outcome.moved);
      int begin = outcome.access == Access.READ ? from : to;
      assertThat(fault.iova()).isEqualTo(BASE + begin + outcome.moved);
    }
  }
}
