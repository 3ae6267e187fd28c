package dev.peerbar.lab.scenario.passthrough;

import static dev.peerbar.scenario.UnexpectedException.unless;
import static dev.peerbar.scenario.UnexpectedException.unlessQuiet;

import dev.peerbar.devices.hbm.ChannelState;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.nvme.NvmeConfig;
import dev.peerbar.devices.nvme.NvmeEndpoint;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.devices.nvme.entry.CompletionEntry;
import dev.peerbar.devices.nvme.entry.Status;
import dev.peerbar.devices.nvme.entry.SubmissionEntry;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.driver.nvme.DataPointer;
import dev.peerbar.driver.nvme.NvmeCommands;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.boot.RefusedWrites;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.scenario.Scenario;
import dev.peerbar.lab.scenario.Step;
import dev.peerbar.lab.scenario.passthrough.PassthroughRig.MemoryKind;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.scenario.fixture.ServedPair;
import dev.peerbar.storage.MemoryStorage;
import dev.peerbar.storage.Storage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * An NVMe controller in the hands of a user-space driver, and driven by a device: A, the
 * controller, lets its CMB and its doorbell page be exported as DMABUFs; B, an HBM endpoint, writes
 * commands into the CMB and rings, all by peer-to-peer DMA. Both are served by this process, so
 * that the steps see disk, CMB and B's memory from both sides.
 */
public final class NvmePassthroughScenario implements Scenario {
  private static final long DISK = 64L << 20;
  private static final long CMB = 64L << 20;
  private static final long HBM = 64L << 20;
  private static final int BLOCK = 512;
  private static final String SERIAL_NUMBER = "PBLAB0000001";

  private static final int QUEUES = 4;
  private static final int ENTRIES = 32;
  private static final long PAGE = 4096;
  private static final long TRANSFER = 64L << 10;
  private static final int BLOCKS = (int) (TRANSFER / BLOCK);
  private static final int MIXED_COMMANDS = 1000;
  private static final long RANDOM_SEED = 20260401;
  private static final int RESET_ROUNDS = 8;

  /** How many more commands A has carried out in each round before a reset hits. */
  private static final int PROGRESS = 13;

  /** Seeds of different steps and rounds share no word of what they fill. */
  private static final long SEED_STEP = 1L << 32;

  private static final Duration LIMIT = NvmeDriver.LIMIT;

  private final ServedPair pair;
  private final Storage storage;
  private final Lab lab;

  private PassthroughRig rig;
  private NvmeQueue queue;
  private long seed;

  private NvmePassthroughScenario(ServedPair pair, Storage storage) {
    this.pair = pair;
    this.storage = storage;
    this.lab = pair.lab();
  }

  /**
   * Serves the endpoints and boots the guest.
   *
   * @param machine without endpoints
   * @param logs where QEMU's and the guest's logs go
   */
  public static NvmePassthroughScenario start(LabFiles files, VirtualMachine machine, Path logs)
      throws IOException {
    Storage storage = MemoryStorage.allocate(DISK);
    NvmeConfig nvme = new NvmeConfig(BLOCK, CMB, QUEUES, DoorbellMode.MAP, SERIAL_NUMBER);
    HbmConfig hbm = new HbmConfig(HBM, 2, DoorbellMode.TRAP, false);
    ServedPair pair =
        ServedPair.boot(
            files,
            machine,
            logs,
            new ServedPair.Named("nvme-a", new NvmeEndpoint(nvme, storage)),
            new ServedPair.Named("hbm-b", new HbmEndpoint(hbm, 1)));
    return new NvmePassthroughScenario(pair, storage);
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
            "bind an NVMe controller A and an HBM endpoint B to vfio-pci",
            "both attach to one IOAS, which has guest memory and B's memory; A has a CMB",
            this::open),
        new Step(
            "b",
            "export and import A's CMB and doorbell page, initialise A",
            "A says who it is; a submission queue lies in the CMB",
            this::initialise),
        new Step(
            "c",
            "B puts a Write into the CMB and rings, all by P2P",
            "A writes what guest memory has; completion in guest memory, MSI-X",
            this::writeByPeer),
        new Step(
            "d",
            "Writes from, Flush, and Reads into guest memory, the CMB and B's memory",
            "disk and memory right, seen by host and guest",
            this::moveEverywhere),
        new Step(
            "e",
            "commands that cannot be carried out",
            "a status for each, and nothing changes",
            this::refuse),
        new Step(
            "f",
            "a completion queue in B's memory",
            "the completion reaches B by P2P",
            this::completeIntoPeer),
        new Step(
            "g",
            "%,d commands of all kinds by B, at random".formatted(MIXED_COMMANDS),
            "each ends as it should, disk and memory are as a model says",
            this::mixCommands),
        new Step(
            "h",
            "reset A (FLR) amid commands by B, %d times".formatted(RESET_ROUNDS),
            "the imports are dead, B's writes fault; no completion and no byte from before lands; A"
                + " initialises again after a new export",
            this::resetUnderLoad),
        new Step(
            "i",
            "disable A (CC.EN) amid commands by B, %d times".formatted(RESET_ROUNDS),
            "no completion and no byte from before lands, doorbells are ignored, A initialises"
                + " again",
            this::disableUnderLoad),
        new Step(
            "z",
            "turn the guest off",
            "no error, WARN or BUG in the guest's kernel log or from QEMU",
            this::powerOff));
  }

  private String open() throws Exception {
    rig = PassthroughRig.open(lab.guest(), pair.serverA(), pair.serverB());
    NvmeDriver.ControllerMemory cmb = rig.cmb();
    int supported =
        NvmeRegisters.CMBSZ_SQS
            | NvmeRegisters.CMBSZ_LISTS
            | NvmeRegisters.CMBSZ_RDS
            | NvmeRegisters.CMBSZ_WDS;
    unless(
        cmb.bar() == NvmeRegisters.CMB_BAR
            && cmb.length() == CMB
            && cmb.offset() == 0
            && cmb.supports(supported),
        "%s",
        cmb);
    return "A %s, B %s, a CMB of %d MiB in BAR %d"
        .formatted(
            rig.deviceA().vfio().pci(), rig.deviceB().vfio().pci(), cmb.length() >> 20, cmb.bar());
  }

  private String initialise() throws Exception {
    rig.importController();
    queue = rig.initialise(ENTRIES, MemoryKind.GUEST);
    NvmeDriver.Identity identity = rig.a().identify();
    unless(identity.serialNumber().equals(SERIAL_NUMBER), "%s", identity);
    NvmeDriver.Namespace namespace = rig.a().identifyNamespace();
    unless(namespace.equals(new NvmeDriver.Namespace(DISK / BLOCK, BLOCK)), "%s", namespace);
    rig.channel().restart();
    return "%s, %s; CMB at 0x%x, doorbells at 0x%x, queue of %d entries at 0x%x"
        .formatted(
            identity.model(),
            namespace,
            rig.cmbImport().iova(),
            rig.doorbellImport().iova(),
            queue.entries(),
            queue.submissions().iova());
  }

  private String writeByPeer() throws Exception {
    long filled = nextSeed();
    rig.fill(MemoryKind.GUEST, 0, TRANSFER, filled);
    DmaRange list = rig.list(MemoryKind.GUEST, 0, PAGE);
    DataPointer data = DataPointer.of(rig.data(MemoryKind.GUEST, 0, TRANSFER), list);
    rig.initiator().submit(queue, List.of(NvmeCommands.write(0, BLOCKS, data)));
    unless(queue.awaitInterrupt(LIMIT), "no interrupt");
    List<CompletionEntry> completions = queue.collect();
    unless(
        completions.size() == 1
            && completions.getFirst().status() == Status.SUCCESS
            && completions.getFirst().sqHead() == queue.tail(),
        "%s",
        completions);
    rig.initiator().ringHead(queue);
    checkDisk(0, filled);
    return "64 KiB on disk, %s; the head rung by P2P, too".formatted(completions.getFirst());
  }

  private String moveEverywhere() throws Exception {
    List<String> seen = new ArrayList<>();
    for (MemoryKind from : MemoryKind.values()) {
      for (MemoryKind to : MemoryKind.values()) {
        long filled = nextSeed();
        long lba = (long) BLOCKS * seen.size();
        rig.fill(from, 0, TRANSFER, filled);
        rig.clear(to, TRANSFER, TRANSFER);
        // The list of the data's device is in the other's memory, or in guest memory.
        DmaRange list = rig.list(to, 0, PAGE);
        DataPointer source = DataPointer.of(rig.data(from, 0, TRANSFER), list);
        runByPeer(NvmeCommands.write(lba, BLOCKS, source));
        checkDisk(lba * BLOCK, filled);
        runByPeer(NvmeCommands.flush());
        DataPointer target =
            DataPointer.of(rig.data(to, TRANSFER, TRANSFER), rig.list(from, 0, PAGE));
        runByPeer(NvmeCommands.read(lba, BLOCKS, target));
        rig.check(to, TRANSFER, TRANSFER, filled);
        seen.add(from + " to " + to);
      }
    }
    return "64 KiB each: " + String.join(", ", seen);
  }

  private CompletionEntry completeByPeer(SubmissionEntry.Builder command) throws Exception {
    rig.initiator().submit(queue, List.of(command));
    CompletionEntry completion = queue.collect(1, LIMIT).getFirst();
    rig.initiator().ringHead(queue);
    return completion;
  }

  private void runByPeer(SubmissionEntry.Builder command) throws Exception {
    NvmeQueue.requireSuccess(List.of(completeByPeer(command)));
  }

  private void checkDisk(long position, long filled) throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(TRANSFER);
      storage.read(position, bytes);
      long mismatch = Pattern.mismatch(bytes, filled);
      unless(mismatch == TRANSFER, "the disk differs at 0x%x", position + mismatch);
    }
  }

  private String refuse() throws Exception {
    PassthroughRig.Snapshot before = rig.snapshot();
    long disk = diskChecksum();
    DataPointer nowhere = new DataPointer(rig.doorbellImport().iova() + (1L << 40), 0);
    DataPointer here = DataPointer.of(rig.data(MemoryKind.HBM, 0, PAGE));
    int blocks = (int) PAGE / BLOCK;
    expect(NvmeCommands.write(0, blocks, nowhere), Status.DATA_TRANSFER_ERROR);
    expect(NvmeCommands.read(0, blocks, nowhere), Status.DATA_TRANSFER_ERROR);
    expect(NvmeCommands.read(DISK / BLOCK, blocks, here), Status.LBA_OUT_OF_RANGE);
    expect(NvmeCommands.write(0, blocks, here).namespaceId(2), Status.INVALID_NAMESPACE_OR_FORMAT);
    unless(diskChecksum() == disk, "the disk changed");
    PassthroughRig.Snapshot after = rig.snapshot();
    unless(after.hbm() == before.hbm() && after.cmb() == before.cmb(), "%s, %s", before, after);
    return "a pointer to nowhere: Data Transfer Error; a block too far; another namespace";
  }

  private void expect(SubmissionEntry.Builder command, Status status) throws Exception {
    CompletionEntry completion = completeByPeer(command);
    unless(completion.status() == status, "%s, expected %s", completion, status);
  }

  private long diskChecksum() throws Exception {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(DISK);
      storage.read(0, bytes);
      return Checksum.of(bytes);
    }
  }

  private String completeIntoPeer() throws Exception {
    rig.a().deleteQueue(queue);
    queue = rig.createQueue(ENTRIES, MemoryKind.HBM);
    DmaRange copied = rig.data(MemoryKind.GUEST, 0, CompletionEntry.BYTES);
    copied.clear();
    rig.initiator().submit(queue, List.of(NvmeCommands.flush()));
    unless(queue.awaitInterrupt(LIMIT), "no interrupt");
    CompletionEntry host = CompletionEntry.decode(rig.hostCompletions(), 0);
    rig.initiator().run(List.of(copyOut(PassthroughRig.completionsOffset(), copied)));
    CompletionEntry byPeer =
        CompletionEntry.decode(MemorySegment.ofArray(copied.read(0, CompletionEntry.BYTES)), 0);
    List<CompletionEntry> byGuest = queue.collect();
    unless(
        host.phase()
            && host.status() == Status.SUCCESS
            && byPeer.equals(host)
            && byGuest.equals(List.of(host)),
        "the host sees %s, B %s, the guest %s",
        host,
        byPeer,
        byGuest);
    rig.initiator().ringHead(queue);
    for (int i = 0; i < 3 * ENTRIES; i++) {
      runByPeer(NvmeCommands.flush());
    }
    rig.a().deleteQueue(queue);
    queue = rig.createQueue(ENTRIES, MemoryKind.GUEST);
    // The tail that rings it first is the one that rang its predecessor last.
    runByPeer(NvmeCommands.flush());
    return "%s for host, B and guest; then %d more".formatted(host, 3 * ENTRIES);
  }

  /** B copies from its own memory. */
  private static Descriptor copyOut(long offset, DmaRange to) {
    return Descriptor.copy(to.length()).fromLocal(offset).to(to.iova()).interrupt();
  }

  private String mixCommands() throws Exception {
    CommandMix mix = new CommandMix(rig, storage, BLOCK, RANDOM_SEED);
    mix.prepare();
    mix.run(queue, MIXED_COMMANDS);
    mix.check();
    return "%s, through %d entries".formatted(mix, queue.entries());
  }

  private String resetUnderLoad() throws Exception {
    expectRefusedWrites();
    List<Integer> completed = new ArrayList<>();
    for (int round = 1; round <= RESET_ROUNDS; round++) {
      LoadedController load = load(round);
      load.start(round * PROGRESS);
      rig.deviceA().reset();
      PassthroughRig.Snapshot landed = landed();
      awaitWriteFault(round);
      checkReset(round);
      checkNothingLands(round, landed);
      completed.add(load.completed());
      rig.dropController();
      rig.importController();
      expectRefusedWrites();
      checkWorks(round);
      load.checkDisk();
    }
    return "after %s of %d commands".formatted(completed, LoadedController.commands());
  }

  private void expectRefusedWrites() {
    for (var imported : List.of(rig.cmbImport(), rig.doorbellImport())) {
      lab.expect(new RefusedWrites(rig.deviceB().vfio().pci(), imported.iova(), imported.length()));
    }
  }

  private LoadedController load(int round) throws Exception {
    MemoryKind completions = round % 2 == 0 ? MemoryKind.GUEST : MemoryKind.HBM;
    return new LoadedController(rig, storage, BLOCK, completions, nextSeed());
  }

  /** B's next write must fault: at the doorbells, or in the CMB. */
  private void awaitWriteFault(int round) throws Exception {
    HbmDriver b = rig.b();
    unless(b.awaitFault(LIMIT), "round %d: no fault; B is %s", round, rig.channel().state());
    long inCmb = b.faultAddress() - rig.cmbImport().iova();
    long atDoorbells = b.faultAddress() - rig.doorbellImport().iova();
    boolean cmb = inCmb >= 0 && inCmb < rig.cmbImport().length();
    boolean doorbells = atDoorbells >= 0 && atDoorbells < rig.doorbellImport().length();
    unless(
        rig.channel().state() == ChannelState.HALTED
            && rig.channel().error() == ErrorCode.WRITE_FAULT.code()
            && (cmb || doorbells),
        "round %d: %s, error %d, fault at 0x%x",
        round,
        rig.channel().state(),
        rig.channel().error(),
        b.faultAddress());
  }

  private void checkReset(int round) throws Exception {
    NvmeDriver a = rig.a();
    unless(
        a.read(NvmeRegisters.CC) == 0
            && a.read(NvmeRegisters.CSTS) == 0
            && a.read(NvmeRegisters.AQA) == 0
            && a.readLong(NvmeRegisters.ASQ) == 0,
        "round %d: A's registers kept values: CC 0x%x, CSTS 0x%x",
        round,
        a.read(NvmeRegisters.CC),
        a.read(NvmeRegisters.CSTS));
    // Not CMBMSC: Linux counts on finding it as it was.
    long cba = a.readLong(NvmeRegisters.CMBMSC) & NvmeRegisters.CMBMSC_CBA_MASK;
    unless(cba == rig.cmbImport().iova(), "round %d: the CMB is at 0x%x", round, cba);
    byte[] doorbells =
        a.registers().read(NvmeRegisters.DOORBELLS, (int) NvmeRegisters.DOORBELLS_LENGTH);
    for (byte each : doorbells) {
      unless(each == 0, "round %d: a doorbell kept its value", round);
    }
  }

  /**
   * What has landed when A's generation is over. What A had signalled by then is on its way through
   * QEMU's main loop still; it has come when B's interrupt has, which was signalled after it.
   */
  private PassthroughRig.Snapshot landed() throws Exception {
    PassthroughRig.Snapshot landed = rig.snapshot();
    rig.a().drainInterrupts();
    return landed;
  }

  private void checkNothingLands(int round, PassthroughRig.Snapshot landed) throws Exception {
    PassthroughRig.Snapshot later = rig.snapshot();
    unless(later.equals(landed), "round %d: %s, later %s", round, landed, later);
    long late = rig.a().drainInterrupts();
    unless(late == 0, "round %d: %d interrupts of a generation that is over", round, late);
  }

  private void checkWorks(int round) throws Exception {
    queue = rig.initialise(ENTRIES, MemoryKind.GUEST);
    rig.channel().restart();
    long disk = diskChecksum();
    long filled = nextSeed();
    long lba = DISK / BLOCK - BLOCKS;
    for (MemoryKind where : MemoryKind.values()) {
      rig.clear(where, 0, TRANSFER);
      DataPointer data =
          DataPointer.of(rig.data(where, 0, TRANSFER), rig.list(MemoryKind.GUEST, 0, PAGE));
      if (where == MemoryKind.GUEST) {
        unless(diskChecksum() == disk, "round %d: the disk changed", round);
        rig.fill(where, 0, TRANSFER, filled);
        runByPeer(NvmeCommands.write(lba, BLOCKS, data));
      } else {
        runByPeer(NvmeCommands.read(lba, BLOCKS, data));
      }
      rig.check(where, 0, TRANSFER, filled);
    }
  }

  private String disableUnderLoad() throws Exception {
    List<Integer> completed = new ArrayList<>();
    for (int round = 1; round <= RESET_ROUNDS; round++) {
      LoadedController load = load(round);
      int last = load.start(round * PROGRESS);
      rig.a().disable();
      PassthroughRig.Snapshot landed = landed();
      // B knows nothing of it, copies on and rings.
      rig.initiator().await(last);
      ringEveryDoorbell();
      checkNothingLands(round, landed);
      completed.add(load.completed());
      checkWorks(round);
      load.checkDisk();
    }
    return "after %s of %d commands; B copied and rang to the end, in vain"
        .formatted(completed, LoadedController.commands());
  }

  /**
   * B stores into each doorbell what the next generation's first command will: it must count all
   * the same, then.
   */
  private void ringEveryDoorbell() throws Exception {
    List<Descriptor> rings = new ArrayList<>();
    for (int id = 0; id <= QUEUES; id++) {
      rings.add(rig.initiator().ring(NvmeRegisters.submissionDoorbell(id), 1));
      rings.add(rig.initiator().ring(NvmeRegisters.completionDoorbell(id), 1));
    }
    rig.initiator().run(rings);
  }

  private String powerOff() throws Exception {
    rig.close();
    unlessQuiet(lab.powerOff());
    return "both quiet";
  }

  private long nextSeed() {
    return seed += SEED_STEP;
  }

  @Override
  public void close() throws IOException {
    try {
      pair.close();
    } finally {
      storage.close();
    }
  }
}
