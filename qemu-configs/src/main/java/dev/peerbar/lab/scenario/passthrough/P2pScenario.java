package dev.peerbar.lab.scenario.passthrough;

import static dev.peerbar.scenario.UnexpectedException.unless;
import static dev.peerbar.scenario.UnexpectedException.unlessQuiet;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestAgent;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.scenario.Scenario;
import dev.peerbar.lab.scenario.Step;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.scenario.UnexpectedException;
import dev.peerbar.scenario.fixture.ServedPair;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Two HBM endpoints do peer-to-peer DMA through a DMABUF and survive function-level resets: A
 * exports its memory, B masters the bus. Both are served by this process, so that the steps see A's
 * memory from both sides.
 */
public final class P2pScenario implements Scenario {
  private static final int SLOT_A = 1;
  private static final int SLOT_B = 2;
  private static final long COPY = 64L << 20;

  /** Of a copy, what lies in 4 KiB pages: thousands of IOMMU mappings, each a message or two. */
  private static final long SCATTERED = 16L << 20;

  private static final long SHORT_COPY = 8L << 20;
  private static final long MAPPED_WRITE = 1L << 20;

  /** A BAR larger than what is exported of it, so that the bytes around can be seen unchanged. */
  private static final long BAR_SIZE = 128L << 20;

  private static final int RESET_ROUNDS = 20;

  /** Copies queued before a reset, so that one is running whenever the reset comes. */
  private static final int QUEUED_COPIES = 2;

  /** How much further a copy gets in each round before a reset hits it. */
  private static final long PROGRESS = 128L << 10;

  private static final int PEER_CHANNEL = 1;

  /** Of each ring. */
  private static final int ENTRIES = 32;

  /** How long a transfer of 64 MiB may take on a machine that is busy with other things. */
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private final ServedPair pair;
  private final Lab lab;

  private Ioas ioas;
  private GuestDevice deviceA;
  private GuestDevice deviceB;
  private HbmDriver a;
  private HbmDriver b;
  private HbmChannel channel;
  private DmaRange out;
  private DmaRange back;
  private DmaBuf dmaBuf;
  private Ioas.Mapping peer;
  private long seed = 1;

  private P2pScenario(ServedPair pair) {
    this.pair = pair;
    this.lab = pair.lab();
  }

  /**
   * Serves the endpoints and boots the guest.
   *
   * @param machine without endpoints
   * @param logs where QEMU's and the guest's logs go
   */
  public static P2pScenario start(LabFiles files, VirtualMachine machine, Path logs)
      throws IOException {
    return new P2pScenario(
        ServedPair.boot(
            files,
            machine,
            logs,
            new ServedPair.Named("hbm-a", endpoint(DoorbellMode.MAP, 1)),
            new ServedPair.Named("hbm-b", endpoint(DoorbellMode.TRAP, 2))));
  }

  private static HbmEndpoint endpoint(DoorbellMode doorbells, long serialNumber) {
    return new HbmEndpoint(new HbmConfig(BAR_SIZE, 4, doorbells, false), serialNumber);
  }

  @Override
  public Lab lab() {
    return lab;
  }

  @Override
  public List<Step> steps() {
    return List.of(
        new Step(
            "a",
            "attach A and B",
            "both bind to vfio-pci, open as cdevs and attach to one IOAS",
            this::attach),
        new Step(
            "b",
            "map A's memory BAR",
            "the host sees what the guest stores, and the other way round",
            this::mapMemory),
        new Step(
            "c",
            "export A's BAR 2 as a DMABUF and import it",
            "the IOAS gives it an IOVA",
            this::importMemory),
        new Step(
            "d",
            "B copies 64 MiB from guest memory into A and back",
            "every byte right at both ends, CRC32C right, MSI-X for each copy",
            this::copyAndSumPeer),
        new Step(
            "e",
            "the same while the guest polls a register of B",
            "the same, and no read of the register fails",
            this::copyWhilePolling),
        new Step(
            "f",
            "B rings A's doorbell through a DMABUF of its page",
            "A runs the descriptor that waited in its ring",
            this::ringPeerDoorbell),
        new Step(
            "g",
            "reset A (FLR)",
            "the import is dead: B's copies fault at its address; A's registers are reset, its"
                + " memory is not touched",
            this::resetExporter),
        new Step(
            "h",
            "export and import again",
            "a copy of 8 MiB there and back is right again",
            this::importAgain),
        new Step(
            "i1",
            "reset A during a copy by B, %d times".formatted(RESET_ROUNDS),
            "B reports the fault, no byte lands after the reset (the vIOMMU refuses what is on the"
                + " wire), a new import works",
            this::resetExporterUnderLoad),
        new Step(
            "i2",
            "reset B during its own copy, %d times".formatted(RESET_ROUNDS),
            "no byte lands and no interrupt comes after the reset, B works again",
            this::resetInitiatorUnderLoad),
        new Step(
            "z",
            "turn the guest off",
            "no error, WARN or BUG in the guest's kernel log or from QEMU",
            this::powerOff));
  }

  private Guest guest() {
    return lab.guest();
  }

  private MemorySegment memoryOfA() {
    return pair.serverA().function().memory(HbmRegisters.MEMORY_BAR);
  }

  /** The part of A's memory that is exported. */
  private MemorySegment imported() {
    return memoryOfA().asSlice(0, COPY);
  }

  private String attach() throws Exception {
    PciDevice pciA = guest().pciInSlot(SLOT_A).bindVfio();
    PciDevice pciB = guest().pciInSlot(SLOT_B).bindVfio();
    ioas = Iommufd.open(guest()).allocIoas();
    deviceA = GuestDevice.open(guest(), pciA, ioas);
    a = HbmDriver.of(deviceA);
    deviceB = GuestDevice.open(guest(), pciB, ioas);
    b = HbmDriver.of(deviceB);
    checkId(pciA, a);
    checkId(pciB, b);
    unless(
        a.readLong(HbmRegisters.MEM_SIZE) == BAR_SIZE,
        "MEM_SIZE 0x%x",
        a.readLong(HbmRegisters.MEM_SIZE));
    channel = b.channel(0, ENTRIES);
    return "A %s, B %s, IOAS %d".formatted(pciA, pciB, ioas.id());
  }

  private static void checkId(PciDevice pci, HbmDriver driver) throws Exception {
    int id = driver.read(HbmRegisters.ID);
    unless(id == (int) HbmRegisters.ID_VALUE, "%s has ID 0x%x", pci, id);
  }

  private String mapMemory() throws Exception {
    try (GuestMemory bar = deviceA.vfio().mmapBar(HbmRegisters.MEMORY_BAR)) {
      long last = BAR_SIZE - MAPPED_WRITE;
      for (long offset : List.of(0L, last)) {
        bar.fillPattern(offset, MAPPED_WRITE, ++seed);
        long mismatch = Pattern.mismatch(memoryOfA().asSlice(offset, MAPPED_WRITE), seed);
        unless(
            mismatch == MAPPED_WRITE,
            "the host sees other bytes at 0x%x than the guest stored",
            offset + mismatch);
        Pattern.fill(memoryOfA().asSlice(offset, MAPPED_WRITE), ++seed);
        var seen = bar.verifyPattern(offset, MAPPED_WRITE, seed);
        unless(seen.isEmpty(), "the guest sees other bytes than the host stored: %s", seen);
      }
    }
    return "2 x 1 MiB each way, at both ends of the BAR";
  }

  private String importMemory() throws Exception {
    dmaBuf = deviceA.vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, COPY);
    peer = ioas.mapFile(dmaBuf);
    return "64 MiB at IOVA 0x%x".formatted(peer.iova());
  }

  private void dropImport() throws IOException {
    ioas.unmap(peer);
    dmaBuf.close();
  }

  private String copyThereAndBack(long length) throws Exception {
    if (out == null) {
      out = ioas.map(guest().allocate(COPY, SCATTERED));
      back = ioas.map(guest().allocateHuge(COPY));
    }
    Pattern.fill(out.slice(0, length), ++seed);
    back.fill(0, length, (byte) 0);
    memoryOfA().fill((byte) 0);
    channel.restart();

    long start = System.nanoTime();
    copy(out.iova(), peer.iova(), length);
    long there = System.nanoTime();
    copy(peer.iova(), back.iova(), length);
    long andBack = System.nanoTime();

    MemorySegment written = memoryOfA().asSlice(0, length);
    long mismatch = Pattern.mismatch(written, seed);
    unless(mismatch == length, "A's memory differs at 0x%x", mismatch);
    checkZero(memoryOfA().asSlice(length));
    var seen = Pattern.verify(back.slice(0, length), seed);
    unless(seen.isEmpty(), "guest memory differs: %s", seen);
    long expected = Checksum.of(written);
    for (long iova : List.of(out.iova(), back.iova())) {
      checkCrc(iova, length, expected);
    }
    return "%s there, %s back, CRC32C %08x"
        .formatted(rate(length, there - start), rate(length, andBack - there), expected);
  }

  private String copyAndSumPeer() throws Exception {
    String seen = copyThereAndBack(COPY);
    checkCrc(peer.iova(), COPY, Checksum.of(imported()));
    return seen + " at all three places";
  }

  private void checkCrc(long iova, long length, long expected) throws Exception {
    long crc = run(Descriptor.crc32c(length).from(iova).interrupt()).result();
    unless(crc == expected, "CRC32C 0x%08x by B at 0x%x, 0x%08x by the host", crc, iova, expected);
  }

  private static void checkZero(MemorySegment memory) throws UnexpectedException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment zeros = arena.allocate(MAPPED_WRITE);
      for (long at = 0; at < memory.byteSize(); at += MAPPED_WRITE) {
        long mismatch = memory.asSlice(at, MAPPED_WRITE).mismatch(zeros);
        unless(mismatch == -1, "A's memory changed 0x%x beyond the copy", at + mismatch);
      }
    }
  }

  private static String rate(long length, long nanos) {
    return "%.0f MiB/s".formatted((length >> 20) / (nanos / 1e9));
  }

  private void copy(long from, long to, long length) throws Exception {
    long moved = run(copying(from, to, length)).moved();
    unless(moved == length, "0x%x bytes moved of 0x%x", moved, length);
  }

  private static Descriptor copying(long from, long to, long length) {
    return Descriptor.copy(length).from(from).to(to).interrupt();
  }

  /** Has B run one descriptor and waits for its interrupt. */
  private Completion run(Descriptor descriptor) throws Exception {
    int entry = channel.submit(descriptor);
    unless(channel.awaitInterrupt(LIMIT), "no interrupt; the channel is %s", channel.state());
    Completion completion = channel.completion(entry);
    unless(completion.done(), "%s", completion);
    return completion;
  }

  private String copyWhilePolling() throws Exception {
    GuestMemory registers = deviceB.bar(HbmRegisters.BAR);
    try (GuestAgent.Poller poller = registers.poll(HbmRegisters.STATUS, AccessWidth.DWORD)) {
      String seen = copyThereAndBack(COPY);
      GuestAgent.Polled polled = poller.stop();
      unless(
          polled.signal() == 0 && polled.loads() > 0 && (polled.last() & 1) == 1,
          "the poller: %s",
          polled);
      return "%s; %d reads, the longest %d ms"
          .formatted(seen, polled.loads(), polled.longest().toMillis());
    }
  }

  private String ringPeerDoorbell() throws Exception {
    long pattern = 0x600d_d00b_e115L;
    long offset = BAR_SIZE - 4096;
    HbmChannel waiting = a.channel(PEER_CHANNEL, ENTRIES);
    waiting.restart();
    int entry = waiting.prepare(Descriptor.fill(pattern, 4096).toLocal(offset).interrupt());
    try (DmaBuf page =
        deviceA
            .vfio()
            .exportDmabuf(
                HbmRegisters.BAR, HbmRegisters.DOORBELLS, HbmRegisters.DOORBELLS_LENGTH)) {
      Ioas.Mapping doorbells = ioas.mapFile(page);
      long tail = doorbells.iova() + HbmRegisters.doorbell(PEER_CHANNEL) - HbmRegisters.DOORBELLS;
      channel.restart();
      run(Descriptor.immediate(waiting.tail(), Integer.BYTES).to(tail).interrupt());
      unless(waiting.awaitInterrupt(LIMIT), "A raised no interrupt");
      unless(waiting.completion(entry).done(), "A: %s", waiting.completion(entry));
      int readBack = a.read(HbmRegisters.doorbell(PEER_CHANNEL));
      unless(readBack == waiting.tail(), "TAIL reads back %d", readBack);
      ioas.unmap(doorbells);
      MemorySegment filled = memoryOfA().asSlice(offset, 4096);
      long seen = filled.get(ValueLayout.JAVA_LONG, 4088);
      unless(seen == pattern, "A's memory has 0x%x", seen);
      return "B stored %d at IOVA 0x%x, A filled 4 KiB and raised its interrupt"
          .formatted(waiting.tail(), tail);
    }
  }

  private String resetExporter() throws Exception {
    a.write(HbmRegisters.SCRATCH, 0x5c7a7c4);
    int resets = a.read(HbmRegisters.RESET_COUNT);
    long before = Checksum.of(memoryOfA());
    Duration took = deviceA.vfio().reset();
    int after = a.read(HbmRegisters.RESET_COUNT);
    unless(after == resets + 1, "RESET_COUNT went from %d to %d", resets, after);
    unless(
        a.read(HbmRegisters.SCRATCH) == 0
            && a.read(HbmRegisters.channel(PEER_CHANNEL) + HbmRegisters.CTRL) == 0
            && a.readLong(HbmRegisters.channel(PEER_CHANNEL) + HbmRegisters.RING_BASE) == 0
            && a.read(HbmRegisters.doorbell(PEER_CHANNEL)) == 0,
        "A's registers kept values");
    expectFault(copying(out.iova(), peer.iova(), COPY), ErrorCode.WRITE_FAULT, peer.iova());
    expectFault(copying(peer.iova(), back.iova(), COPY), ErrorCode.READ_FAULT, peer.iova());
    unless(Checksum.of(memoryOfA()) == before, "A's memory changed");
    return "RESET_COUNT %d, write and read fault at IOVA 0x%x; the reset took %d ms"
        .formatted(after, peer.iova(), took.toMillis());
  }

  private void expectFault(Descriptor descriptor, ErrorCode error, long address) throws Exception {
    channel.restart();
    b.drainInterrupts();
    b.clearFault();
    int entry = channel.submit(descriptor);
    unless(b.awaitFault(LIMIT), "no fault interrupt; the channel is %s", channel.state());
    Completion completion = channel.completion(entry);
    unless(
        channel.state() == ChannelState.HALTED
            && channel.error() == error.code()
            && completion.error() == error.code()
            && completion.moved() == 0
            && b.faultAddress() == address,
        "%s, error %d, fault at 0x%x, %s",
        channel.state(),
        channel.error(),
        b.faultAddress(),
        completion);
  }

  private String importAgain() throws Exception {
    dropImport();
    importMemory();
    return copyThereAndBack(SHORT_COPY) + ", IOVA 0x%x".formatted(peer.iova());
  }

  private String resetExporterUnderLoad() throws Exception {
    lab.expect(new RefusedWrites(deviceB.vfio().pci(), peer.iova(), COPY));
    long lowest = Long.MAX_VALUE;
    long highest = 0;
    for (int round = 1; round <= RESET_ROUNDS; round++) {
      int resets = a.read(HbmRegisters.RESET_COUNT);
      startCopying(round);
      deviceA.reset();
      long landed = Checksum.of(imported());
      unless(b.awaitFault(LIMIT), "round %d: no fault; B is %s", round, channel.state());
      long at = b.faultAddress() - peer.iova();
      unless(
          channel.state() == ChannelState.HALTED
              && channel.error() == ErrorCode.WRITE_FAULT.code()
              && at >= 0
              && at < COPY,
          "round %d: %s, error %d, fault at 0x%x",
          round,
          channel.state(),
          channel.error(),
          b.faultAddress());
      unless(
          Checksum.of(imported()) == landed, "round %d: A's memory changed after the reset", round);
      unless(
          a.read(HbmRegisters.RESET_COUNT) == resets + 1,
          "round %d: RESET_COUNT %d after %d",
          round,
          a.read(HbmRegisters.RESET_COUNT),
          resets);
      lowest = Math.min(lowest, at);
      highest = Math.max(highest, at);
      dropImport();
      importMemory();
      checkWorks(round);
    }
    return "%d resets, faults from 0x%x to 0x%x into the import"
        .formatted(RESET_ROUNDS, lowest, highest);
  }

  private String resetInitiatorUnderLoad() throws Exception {
    for (int round = 1; round <= RESET_ROUNDS; round++) {
      int resets = b.read(HbmRegisters.RESET_COUNT);
      startCopying(round);
      deviceB.reset();
      long landed = Checksum.of(imported());
      b.drainInterrupts();
      unless(
          channel.state() == ChannelState.IDLE
              && b.read(HbmRegisters.FAULT) == 0
              && b.read(HbmRegisters.RESET_COUNT) == resets + 1,
          "round %d: B is %s, FAULT 0x%x, RESET_COUNT %d after %d",
          round,
          channel.state(),
          b.read(HbmRegisters.FAULT),
          b.read(HbmRegisters.RESET_COUNT),
          resets);
      unless(
          Checksum.of(imported()) == landed, "round %d: A's memory changed after the reset", round);
      long late = b.drainInterrupts();
      unless(late == 0, "round %d: %d interrupts after the reset", round, late);
      checkWorks(round);
    }
    return RESET_ROUNDS + " resets";
  }

  /** Lets B copy into A, and returns when it is under way, further on in each round. */
  private void startCopying(int round) throws Exception {
    imported().fill((byte) 0);
    channel.restart();
    b.drainInterrupts();
    b.clearFault();
    var copies = new Descriptor[QUEUED_COPIES];
    Arrays.fill(copies, copying(out.iova(), peer.iova(), COPY));
    channel.submit(copies);
    long reached = round * PROGRESS;
    await(
        () -> imported().get(ValueLayout.JAVA_LONG, reached) != 0,
        "a copy to reach 0x%x".formatted(reached));
  }

  private void checkWorks(int round) throws Exception {
    channel.restart();
    memoryOfA().asSlice(0, MAPPED_WRITE).fill((byte) 0);
    copy(out.iova(), peer.iova(), MAPPED_WRITE);
    long mismatch = Pattern.mismatch(memoryOfA().asSlice(0, MAPPED_WRITE), seed);
    unless(mismatch == MAPPED_WRITE, "round %d: a later copy is wrong at 0x%x", round, mismatch);
  }

  private static void await(BooleanSupplier condition, String what) throws UnexpectedException {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (!condition.getAsBoolean()) {
      unless(System.nanoTime() < end, "waited in vain for %s", what);
      Thread.onSpinWait();
    }
  }

  private String powerOff() throws Exception {
    deviceA.close();
    deviceB.close();
    unlessQuiet(lab.powerOff());
    return "both quiet";
  }

  @Override
  public void close() throws IOException {
    pair.close();
  }
}
