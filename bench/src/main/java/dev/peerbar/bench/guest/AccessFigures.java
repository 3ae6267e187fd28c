package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.TimedWorkload;
import dev.peerbar.bench.harness.TimedWorkload.Invocation;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.pci.AccessWidth;
import java.util.List;
import java.util.Optional;

/**
 * What the guest's CPU does: loads and stores of registers, beside those of QEMU's edu, and of
 * memory behind a BAR, beside guest memory and the BAR of QEMU's ivshmem.
 */
final class AccessFigures {
  private static final Aim EQUAL = Aim.atMost(1.05);
  private static final Aim EQUAL_RATE = Aim.atLeast(0.95);
  private static final double GIGA = 1e9;

  /** So many that asking the guest to make them costs little beside them. */
  private static final int TRAPPED_ACCESSES = 100;

  private static final int IN_PROCESS_ACCESSES = 4_000;
  private static final int MEMORY_ACCESSES = 1_000_000;

  /** What words are loaded from and stored to: pages enough, and few enough for an emulated TLB. */
  private static final long WORKING_SET = 64L << 10;

  private static final long COPY = 1L << 20;
  private static final int COPIES = 4;
  private static final long VALUE = 0x5ca1ab1e;

  private final Bench bench;
  private final GuestFixture fixture;

  AccessFigures(Bench bench, GuestFixture fixture) {
    this.bench = bench;
    this.fixture = fixture;
  }

  void measure() throws Exception {
    registers();
    memory();
    copies();
  }

  /** What is done to a register: the same for every device. */
  @FunctionalInterface
  private interface RegisterWork {
    TimedWorkload on(GuestMemory registers, long offset, int count);
  }

  private void registers() throws Exception {
    registers("register read", AccessFigures::loads);
    registers("register write", AccessFigures::stores);
  }

  private void registers(String path, RegisterWork work) throws Exception {
    List<Measured> sides =
        bench.compare(
            Side.keepingTime(
                "QEMU's edu",
                work.on(
                    fixture.inProcessRegisters(),
                    InProcessDevices.EDU_LIVENESS,
                    IN_PROCESS_ACCESSES)),
            Side.keepingTime(
                "waiting",
                work.on(fixture.waitingRegisters(), HbmRegisters.SCRATCH, TRAPPED_ACCESSES)),
            Side.keepingTime(
                "busy-poll",
                work.on(fixture.pollingRegisters(), HbmRegisters.SCRATCH, TRAPPED_ACCESSES)));
    for (Measured side : sides.subList(1, sides.size())) {
      bench.add(
          Figure.cost(
              "%s, %s, beside edu".formatted(path, side.name()),
              sides.getFirst(),
              side,
              Optional.empty()));
    }
  }

  private static TimedWorkload loads(GuestMemory registers, long offset, int count) {
    return () ->
        new Invocation(count, registers.timeLoads(offset, AccessWidth.DWORD, count).toNanos());
  }

  private static TimedWorkload stores(GuestMemory registers, long offset, int count) {
    return () ->
        new Invocation(
            count, registers.timeStores(offset, AccessWidth.DWORD, VALUE, count).toNanos());
  }

  /** Something that is done to memory: the same for each kind. */
  @FunctionalInterface
  private interface MemoryWork {
    TimedWorkload on(GuestMemory memory);
  }

  private void memory() throws Exception {
    each(
        "BAR load",
        memory ->
            () ->
                new Invocation(
                    MEMORY_ACCESSES,
                    memory
                        .timeLoads(0, WORKING_SET, AccessWidth.QWORD, MEMORY_ACCESSES)
                        .toNanos()));
    each(
        "BAR store",
        memory ->
            () ->
                new Invocation(
                    MEMORY_ACCESSES,
                    memory
                        .timeStores(0, WORKING_SET, AccessWidth.QWORD, VALUE, MEMORY_ACCESSES)
                        .toNanos()));
  }

  private void each(String path, MemoryWork work) throws Exception {
    List<Measured> sides = compareMemory(work);
    bench.add(
        Figure.cost(
            path + ", beside guest memory", sides.get(0), sides.get(2), Optional.of(EQUAL)));
    bench.add(
        Figure.cost(path + ", beside ivshmem", sides.get(1), sides.get(2), Optional.of(EQUAL)));
  }

  /** Guest memory, ivshmem, endpoint. */
  private List<Measured> compareMemory(MemoryWork work) throws Exception {
    return bench.compare(
        Side.keepingTime("guest memory", work.on(GuestMemory.of(fixture.ram()))),
        Side.keepingTime("QEMU's ivshmem", work.on(GuestMemory.of(fixture.inProcessMemory()))),
        Side.keepingTime("endpoint", work.on(GuestMemory.of(fixture.endpointMemory()))));
  }

  private void copies() throws Exception {
    GuestMemory ram = GuestMemory.of(fixture.ram());
    long place = GuestFixture.TRANSFER; // of guest memory, behind what is compared with BARs
    rate(
        "from",
        memory ->
            () ->
                new Invocation(
                    COPIES * COPY, memory.timeCopies(0, ram, place, COPY, COPIES).toNanos()));
    rate(
        "to",
        memory ->
            () ->
                new Invocation(
                    COPIES * COPY, ram.timeCopies(place, memory, 0, COPY, COPIES).toNanos()));
  }

  private void rate(String what, MemoryWork work) throws Exception {
    List<Measured> sides = compareMemory(work);
    String path = "copy %s a BAR".formatted(what);
    bench.add(
        Figure.rate(
            path + ", beside guest memory",
            "GB/s",
            GIGA,
            sides.get(0),
            sides.get(2),
            Optional.of(EQUAL_RATE)));
    bench.add(
        Figure.rate(
            path + ", beside ivshmem",
            "GB/s",
            GIGA,
            sides.get(1),
            sides.get(2),
            Optional.of(EQUAL_RATE)));
  }
}
