package dev.peerbar.lab.scenario.passthrough;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.Completion;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.driver.nvme.PeerInitiator;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.scenario.fixture.Checksum;
import dev.peerbar.server.EndpointServer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;

/**
 * An NVMe controller A and an HBM endpoint B in a guest that drives both through vfio-pci, on one
 * IOAS: guest memory, A's CMB and B's memory have the same addresses for both, and so has A's
 * doorbell page.
 */
final class PassthroughRig {
  /** Memory that data, PRP lists and queues can lie in. */
  enum MemoryKind {
    GUEST("guest memory"),
    CMB("A's CMB"),
    HBM("B's memory");

    private final String text;

    MemoryKind(String text) {
      this.text = text;
    }

    @Override
    public String toString() {
      return text;
    }
  }

  /** How much of each memory is used, laid out alike. */
  static final long WINDOW = 8L << 20;

  private static final long SUBMISSIONS = 0;
  private static final long COMPLETIONS = 64L << 10;
  private static final long LISTS = 128L << 10;
  private static final long LISTS_LENGTH = 64L << 10;
  private static final long STAGING = 192L << 10;
  private static final long PART = 64L << 10;
  private static final long DATA = 1L << 20;
  static final long DATA_LENGTH = WINDOW - DATA;

  /** Of guest memory, what lies in 4 KiB pages, which an IOMMU sees one by one. */
  private static final long SCATTERED = 4L << 20;

  private static final int IO_QUEUE = 1;

  /** Of the rings of B's channels. */
  private static final int ENTRIES = 32;

  private static final int SLOT_A = 1;
  private static final int SLOT_B = 2;

  private final EndpointServer serverA;
  private final EndpointServer serverB;
  private final Ioas ioas;
  private final GuestDevice deviceA;
  private final GuestDevice deviceB;
  private final NvmeDriver a;
  private final HbmDriver b;
  private final HbmChannel channel;
  private final HbmChannel observer;
  private final Map<MemoryKind, DmaRange> memories = new EnumMap<>(MemoryKind.class);
  private final NvmeDriver.ControllerMemory cmb;
  private final DmaRange staging;

  private DmaBuf cmbExport;
  private DmaBuf doorbellExport;
  private Ioas.Mapping cmbImport;
  private Ioas.Mapping doorbellImport;
  private PeerInitiator initiator;

  private PassthroughRig(
      Guest guest, EndpointServer serverA, EndpointServer serverB, Ioas ioas, Devices devices)
      throws IOException {
    this.serverA = serverA;
    this.serverB = serverB;
    this.ioas = ioas;
    deviceA = devices.a;
    deviceB = devices.b;
    // No more than the admin queue and what Identify tells take.
    a = NvmeDriver.of(deviceA, deviceA.allocate(3L * NvmeDriver.PAGE));
    b = HbmDriver.of(deviceB);
    channel = b.channel(0, ENTRIES);
    observer = b.channel(1, ENTRIES);
    memories.put(MemoryKind.GUEST, ioas.map(guest.allocate(WINDOW, SCATTERED)));
    staging = memories.get(MemoryKind.GUEST).slice(STAGING, PART);
    DmaBuf hbmExport = deviceB.vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, WINDOW);
    memories.put(
        MemoryKind.HBM, new DmaRange(b.memory(), 0, ioas.mapFile(hbmExport).iova(), WINDOW));
    cmb = a.findControllerMemory();
  }

  private record Devices(GuestDevice a, GuestDevice b) {}

  /** Binds both endpoints to vfio-pci and imports B's memory; A has still to be imported. */
  static PassthroughRig open(Guest guest, EndpointServer serverA, EndpointServer serverB)
      throws IOException {
    guest.pciInSlot(SLOT_A).bindVfio();
    guest.pciInSlot(SLOT_B).bindVfio();
    Ioas ioas = Iommufd.open(guest).allocIoas();
    Devices devices =
        new Devices(
            GuestDevice.open(guest, guest.pciInSlot(SLOT_A), ioas),
            GuestDevice.open(guest, guest.pciInSlot(SLOT_B), ioas));
    return new PassthroughRig(guest, serverA, serverB, ioas, devices);
  }

  NvmeDriver a() {
    return a;
  }

  HbmDriver b() {
    return b;
  }

  GuestDevice deviceA() {
    return deviceA;
  }

  GuestDevice deviceB() {
    return deviceB;
  }

  /** B's channel for commands and doorbells. */
  HbmChannel channel() {
    return channel;
  }

  NvmeDriver.ControllerMemory cmb() {
    return cmb;
  }

  Ioas.Mapping cmbImport() {
    return cmbImport;
  }

  Ioas.Mapping doorbellImport() {
    return doorbellImport;
  }

  /**
   * Exports A's CMB and its doorbell page as DMABUFs and imports both. A is told to find its own
   * CMB at the address at which B sees it, so that an address means the same to both.
   */
  void importController() throws IOException {
    cmbExport = deviceA.vfio().exportDmabuf(cmb.bar(), cmb.offset(), cmb.length());
    cmbImport = ioas.mapFile(cmbExport);
    doorbellExport =
        deviceA
            .vfio()
            .exportDmabuf(
                NvmeRegisters.BAR, NvmeRegisters.DOORBELLS, NvmeRegisters.DOORBELLS_LENGTH);
    doorbellImport = ioas.mapFile(doorbellExport);
    a.placeControllerMemory(cmbImport.iova());
    memories.put(
        MemoryKind.CMB,
        new DmaRange(deviceA.bar(cmb.bar()), cmb.offset(), cmbImport.iova(), cmb.length()));
    initiator = new PeerInitiator(channel, staging, doorbellImport.iova());
  }

  /** Takes the imports away, dead or alive. */
  void dropController() throws IOException {
    ioas.unmap(cmbImport);
    ioas.unmap(doorbellImport);
    cmbExport.close();
    doorbellExport.close();
  }

  /**
   * Begins a generation of the controller, with a submission queue in the CMB that only B writes.
   *
   * @param completions where those go
   */
  NvmeQueue initialise(int entries, MemoryKind completions) throws IOException {
    a.enable();
    return createQueue(entries, completions);
  }

  /** Creates the pair of I/O queues that {@link #initialise} does. */
  NvmeQueue createQueue(int entries, MemoryKind completions) throws IOException {
    return a.createQueue(
        IO_QUEUE,
        entries,
        memories.get(MemoryKind.CMB).slice(SUBMISSIONS, PART),
        memories.get(completions).slice(COMPLETIONS, PART));
  }

  /** Has B submit and ring. */
  PeerInitiator initiator() {
    return initiator;
  }

  /** Part of a memory that holds data. */
  DmaRange data(MemoryKind where, long offset, long length) {
    return memories.get(where).slice(DATA, DATA_LENGTH).slice(offset, length);
  }

  /** Part of a memory that holds PRP lists. */
  DmaRange list(MemoryKind where, long offset, long length) {
    return memories.get(where).slice(LISTS, LISTS_LENGTH).slice(offset, length);
  }

  /** Data of a device's memory as the host sees it. */
  MemorySegment hostData(MemoryKind where, long offset, long length) {
    return hostMemory(where).asSlice(DATA, DATA_LENGTH).asSlice(offset, length);
  }

  /** All memory of a device as the host sees it. */
  MemorySegment hostMemory(MemoryKind where) {
    return switch (where) {
      case CMB -> serverA.function().memory(NvmeRegisters.CMB_BAR);
      case HBM -> serverB.function().memory(HbmRegisters.MEMORY_BAR);
      case GUEST -> throw new IllegalArgumentException("not of a device");
    };
  }

  /** The completion queue in B's memory, as the host sees it. */
  MemorySegment hostCompletions() {
    return hostMemory(MemoryKind.HBM).asSlice(COMPLETIONS, PART);
  }

  /** Where the completion queue is in B's memory. */
  static long completionsOffset() {
    return COMPLETIONS;
  }

  /** Fills data with a pattern. */
  void fill(MemoryKind where, long offset, long length, long seed) throws IOException {
    if (where == MemoryKind.GUEST) {
      Pattern.fill(data(where, offset, length), seed);
    } else {
      Pattern.fill(hostData(where, offset, length), seed);
    }
  }

  /** Zeroes data. */
  void clear(MemoryKind where, long offset, long length) throws IOException {
    if (where == MemoryKind.GUEST) {
      data(where, offset, length).clear();
    } else {
      hostData(where, offset, length).fill((byte) 0);
    }
  }

  /** Data must be a pattern's: for the guest, and for the host if it is a device's. */
  void check(MemoryKind where, long offset, long length, long seed) throws Exception {
    var seen = Pattern.verify(data(where, offset, length), seed);
    unless(seen.isEmpty(), "the guest finds %s different: %s", where, seen);
    if (where != MemoryKind.GUEST) {
      long mismatch = Pattern.mismatch(hostData(where, offset, length), seed);
      unless(mismatch == length, "the host finds %s different at 0x%x", where, mismatch);
    }
  }

  /**
   * What a controller might write to, as it is now.
   *
   * @param guest CRC32C of guest memory, completion queue included
   * @param hbm of B's memory, completion queue included
   * @param cmb of the CMB's data
   */
  record Snapshot(long guest, long hbm, long cmb) {}

  /** Looks at all that a controller might write to, by a channel of B that is used for no more. */
  Snapshot snapshot() throws Exception {
    DmaRange ram = memories.get(MemoryKind.GUEST);
    observer.restart();
    int entry = observer.submit(Descriptor.crc32c(ram.length()).from(ram.iova()).interrupt());
    unless(observer.awaitInterrupt(NvmeDriver.LIMIT), "B's observer is %s", observer.state());
    Completion completion = observer.completion(entry);
    unless(completion.done(), "B's observer: %s", completion);
    return new Snapshot(
        completion.result(),
        Checksum.of(hostMemory(MemoryKind.HBM).asSlice(0, WINDOW)),
        Checksum.of(hostData(MemoryKind.CMB, 0, DATA_LENGTH)));
  }

  void close() throws IOException {
    deviceA.close();
    deviceB.close();
  }
}
