package dev.peerbar.lab.scenario.passthrough;

import static dev.peerbar.lab.scenario.UnexpectedException.unless;

import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.Pattern;
import dev.peerbar.lab.hbm.HbmChannel;
import dev.peerbar.lab.hbm.HbmDevice;
import dev.peerbar.lab.nvme.DmaRange;
import dev.peerbar.lab.nvme.NvmeDevice;
import dev.peerbar.lab.nvme.NvmeQueue;
import dev.peerbar.lab.nvme.PeerInitiator;
import dev.peerbar.lab.vfio.DmaBuf;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.lab.vfio.VfioDevice;
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
  enum Place {
    GUEST("guest memory"),
    CMB("A's CMB"),
    HBM("B's memory");

    private final String text;

    Place(String text) {
      this.text = text;
    }

    @Override
    public String toString() {
      return text;
    }
  }

  /** How much of each place is used, laid out alike. */
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

  private static final int SLOT_A = 1;
  private static final int SLOT_B = 2;

  private final EndpointServer serverA;
  private final EndpointServer serverB;
  private final Ioas ioas;
  private final NvmeDevice a;
  private final HbmDevice b;
  private final HbmChannel engine;
  private final HbmChannel observer;
  private final Map<Place, DmaRange> places = new EnumMap<>(Place.class);
  private final NvmeDevice.ControllerMemory cmb;
  private final GuestMemory cmbMemory;
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
    a = devices.a;
    b = devices.b;
    engine = b.channel(0);
    observer = b.channel(1);
    GuestMemory ram = guest.allocate(WINDOW, SCATTERED);
    places.put(Place.GUEST, DmaRange.of(ram, ioas.map(ram)));
    staging = places.get(Place.GUEST).slice(STAGING, PART);
    GuestMemory hbm = b.vfio().mmapBar(HbmRegisters.MEMORY_BAR);
    DmaBuf hbmExport = b.vfio().exportDmabuf(HbmRegisters.MEMORY_BAR, 0, WINDOW);
    places.put(Place.HBM, DmaRange.of(hbm, ioas.mapFile(hbmExport)));
    cmb = a.findControllerMemory();
    cmbMemory = a.vfio().mmapBar(cmb.bar());
  }

  private record Devices(NvmeDevice a, HbmDevice b) {}

  /** Binds both endpoints to vfio-pci and imports B's memory; A has still to be imported. */
  static PassthroughRig open(Guest guest, EndpointServer serverA, EndpointServer serverB)
      throws IOException {
    guest.pciInSlot(SLOT_A).bindVfio();
    guest.pciInSlot(SLOT_B).bindVfio();
    Iommufd iommufd = guest.openIommufd();
    Ioas ioas = iommufd.allocIoas();
    Devices devices =
        new Devices(
            NvmeDevice.of(guest, attached(guest, SLOT_A, iommufd, ioas), ioas),
            HbmDevice.of(guest, attached(guest, SLOT_B, iommufd, ioas), ioas));
    return new PassthroughRig(guest, serverA, serverB, ioas, devices);
  }

  private static VfioDevice attached(Guest guest, int slot, Iommufd iommufd, Ioas ioas)
      throws IOException {
    VfioDevice vfio = guest.pciInSlot(slot).open(iommufd);
    vfio.attach(ioas);
    return vfio;
  }

  NvmeDevice a() {
    return a;
  }

  HbmDevice b() {
    return b;
  }

  /** B's channel for commands and doorbells. */
  HbmChannel engine() {
    return engine;
  }

  NvmeDevice.ControllerMemory cmb() {
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
    cmbExport = a.vfio().exportDmabuf(cmb.bar(), cmb.offset(), cmb.length());
    cmbImport = ioas.mapFile(cmbExport);
    doorbellExport =
        a.vfio()
            .exportDmabuf(
                NvmeRegisters.BAR, NvmeRegisters.DOORBELLS, NvmeRegisters.DOORBELLS_LENGTH);
    doorbellImport = ioas.mapFile(doorbellExport);
    a.placeControllerMemory(cmbImport.iova());
    places.put(Place.CMB, new DmaRange(cmbMemory, cmb.offset(), cmbImport.iova(), cmb.length()));
    initiator = new PeerInitiator(engine, staging, doorbellImport.iova());
  }

  /** Takes the imports away, dead or alive. */
  void dropController() throws IOException {
    ioas.unmap(cmbImport);
    ioas.unmap(doorbellImport);
    cmbExport.close();
    doorbellExport.close();
  }

  /**
   * Begins a life of the controller, with a submission queue in the CMB that only B writes.
   *
   * @param completions where those go
   */
  NvmeQueue initialise(int entries, Place completions) throws IOException {
    a.enable();
    return createQueue(entries, completions);
  }

  /** Creates the pair of I/O queues that {@link #initialise} does. */
  NvmeQueue createQueue(int entries, Place completions) throws IOException {
    return a.createQueue(
        IO_QUEUE,
        entries,
        places.get(Place.CMB).slice(SUBMISSIONS, PART),
        places.get(completions).slice(COMPLETIONS, PART));
  }

  /** Has B submit and ring. */
  PeerInitiator initiator() {
    return initiator;
  }

  /** Part of a place that holds data. */
  DmaRange data(Place place, long offset, long length) {
    return places.get(place).slice(DATA, DATA_LENGTH).slice(offset, length);
  }

  /** Part of a place that holds PRP lists. */
  DmaRange list(Place place, long offset, long length) {
    return places.get(place).slice(LISTS, LISTS_LENGTH).slice(offset, length);
  }

  /** Data of a device's memory as the host sees it. */
  MemorySegment hostData(Place place, long offset, long length) {
    return hostMemory(place).asSlice(DATA, DATA_LENGTH).asSlice(offset, length);
  }

  /** All memory of a device as the host sees it. */
  MemorySegment hostMemory(Place place) {
    return switch (place) {
      case CMB -> serverA.function().memory(NvmeRegisters.CMB_BAR);
      case HBM -> serverB.function().memory(HbmRegisters.MEMORY_BAR);
      case GUEST -> throw new IllegalArgumentException("not of a device");
    };
  }

  /** The completion queue in B's memory, as the host sees it. */
  MemorySegment hostCompletions() {
    return hostMemory(Place.HBM).asSlice(COMPLETIONS, PART);
  }

  /** Where the completion queue is in B's memory. */
  static long completionsOffset() {
    return COMPLETIONS;
  }

  /** Fills data with a pattern. */
  void fill(Place place, long offset, long length, long seed) throws IOException {
    if (place == Place.GUEST) {
      data(place, offset, length).fill(seed);
    } else {
      Pattern.fill(hostData(place, offset, length), seed);
    }
  }

  /** Zeroes data. */
  void clear(Place place, long offset, long length) throws IOException {
    if (place == Place.GUEST) {
      data(place, offset, length).clear();
    } else {
      hostData(place, offset, length).fill((byte) 0);
    }
  }

  /** Data must be a pattern's: for the guest, and for the host if it is a device's. */
  void check(Place place, long offset, long length, long seed) throws Exception {
    var seen = data(place, offset, length).verify(seed);
    unless(seen.isEmpty(), "the guest finds %s different: %s", place, seen);
    if (place != Place.GUEST) {
      long mismatch = Pattern.mismatch(hostData(place, offset, length), seed);
      unless(mismatch == length, "the host finds %s different at 0x%x", place, mismatch);
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
    DmaRange ram = places.get(Place.GUEST);
    observer.enable();
    int entry = observer.submit(HbmDevice.crc32c(ram.address(), ram.length()));
    unless(observer.awaitInterrupt(NvmeDevice.LIMIT), "B's observer is %s", observer.state());
    HbmChannel.Completion completion = observer.completion(entry);
    unless(completion.done(), "B's observer: %s", completion);
    return new Snapshot(
        completion.result(),
        Checksum.of(hostMemory(Place.HBM).asSlice(0, WINDOW)),
        Checksum.of(hostData(Place.CMB, 0, DATA_LENGTH)));
  }

  void close() throws IOException {
    a.close();
    b.vfio().close();
  }
}
