package dev.peerbar.bench.guest;

import dev.peerbar.bench.harness.BenchmarkException;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.nvme.NvmeRegisters;
import dev.peerbar.driver.Config;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.driver.nvme.NvmeDriver;
import dev.peerbar.driver.nvme.NvmeQueue;
import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.vfio.GuestDevice;
import dev.peerbar.lab.vfio.Ioas;
import dev.peerbar.lab.vfio.Iommufd;
import dev.peerbar.scenario.fixture.ServedPair;
import dev.peerbar.server.ServerOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * One booted guest with two HBM endpoints A and B, served by this process, and QEMU's own devices.
 * All of them are bound to vfio-pci and reach the same addresses: guest memory, A's memory, and
 * that of QEMU's ivshmem.
 */
final class GuestFixture implements AutoCloseable {
  /** The most that is moved at a time. */
  static final long TRANSFER = 2L << 20;

  /** Of each memory, what devices reach. */
  static final long WINDOW = 16L << 20;

  private static final String TOPOLOGY = "one-switch";
  private static final int SLOT_A = 1;
  private static final int SLOT_B = 2;
  private static final long PAGE = 4096;
  private static final int RING_ENTRIES = 32;
  private static final int QUEUE = 1;
  private static final int QUEUE_ENTRIES = 32;

  private final InProcessDevices inProcess;
  private final ServedPair pair;
  private final Ioas ioas;
  private final Guest guest;
  private final GuestMemory waiting;
  private final GuestMemory polling;
  private final HbmChannel channel;
  private final GuestMemory nvmeRegisters;
  private final NvmeQueue queue;
  private final DmaRange lists;
  private final int blockSize;
  private final GuestMemory edu;
  private final DmaRange ram;
  private final DmaRange endpointMemory;
  private final DmaRange inProcessMemory;

  private GuestFixture(InProcessDevices inProcess, ServedPair pair) throws IOException {
    this.inProcess = inProcess;
    this.pair = pair;
    guest = pair.lab().guest();
    // One IOMMU group may be all of the switch, and belongs to vfio as a whole.
    PciDevice pciA = guest.pciInSlot(SLOT_A).bindVfio();
    PciDevice pciB = guest.pciInSlot(SLOT_B).bindVfio();
    PciDevice pciNvme = guest.pciInSlot(InProcessDevices.NVME_SLOT).bindVfio();
    PciDevice pciEdu =
        guest.pciWithId(InProcessDevices.EDU_VENDOR, InProcessDevices.EDU_DEVICE).bindVfio();
    PciDevice pciShared =
        guest.pciWithId(InProcessDevices.SHARED_VENDOR, InProcessDevices.SHARED_DEVICE).bindVfio();
    ioas = Iommufd.open(guest).allocIoas();
    GuestDevice a = open(pciA);
    HbmDriver.of(a);
    GuestDevice b = open(pciB);
    HbmDriver driverB = HbmDriver.of(b);
    polling = a.bar(HbmRegisters.BAR);
    waiting = b.bar(HbmRegisters.BAR);
    ram = range(guest.allocateHuge(WINDOW));
    endpointMemory = imported(a, HbmRegisters.MEMORY_BAR);
    GuestDevice shared = open(pciShared);
    new Config(shared).memorySpace(true);
    inProcessMemory = imported(shared, InProcessDevices.SHARED_BAR);
    GuestDevice eduDevice = open(pciEdu);
    new Config(eduDevice).memorySpace(true);
    edu = eduDevice.bar(InProcessDevices.EDU_BAR);
    channel = driverB.channel(0, RING_ENTRIES).enable();
    GuestDevice nvmeDevice = open(pciNvme);
    nvmeRegisters = nvmeDevice.bar(NvmeRegisters.BAR);
    NvmeDriver nvme = NvmeDriver.of(nvmeDevice).enable();
    blockSize = nvme.identifyNamespace().blockSize();
    queue =
        nvme.createQueue(
            QUEUE, QUEUE_ENTRIES, range(guest.allocate(PAGE)), range(guest.allocate(PAGE)));
    lists = range(guest.allocate(4 * PAGE));
  }

  /**
   * Serves the endpoints and boots the guest.
   *
   * @param logs where QEMU's and the guest's logs go
   */
  static GuestFixture boot(LabFiles files, Path logs) throws IOException {
    InProcessDevices inProcess = InProcessDevices.create();
    ServedPair pair = null;
    try {
      pair =
          ServedPair.boot(
              files,
              inProcess.attachTo(VirtualMachine.of(Topology.named(TOPOLOGY))),
              logs,
              new ServedPair.Named(
                  "hbm-a",
                  new HbmEndpoint(HbmConfig.DEFAULT, 1),
                  ServerOptions.DEFAULT.withBusyPoll(ServerOptions.BUSY_POLL)),
              new ServedPair.Named("hbm-b", new HbmEndpoint(HbmConfig.DEFAULT, 2)));
      return new GuestFixture(inProcess, pair);
    } catch (IOException | RuntimeException e) {
      if (pair != null) {
        pair.close();
      }
      inProcess.close();
      throw e;
    }
  }

  private GuestDevice open(PciDevice pci) throws IOException {
    return GuestDevice.open(guest, pci, ioas);
  }

  private DmaRange range(GuestMemory memory) throws IOException {
    return ioas.map(memory);
  }

  private DmaRange imported(GuestDevice device, int bar) throws IOException {
    return DmaRange.of(
        device.vfio().mmapBar(bar, 0, WINDOW),
        ioas.mapFile(device.vfio().exportDmabuf(bar, 0, WINDOW)).iova());
  }

  /** B's registers: its server waits for messages. */
  GuestMemory waitingRegisters() {
    return waiting;
  }

  /** A's registers: its server polls busily for messages. */
  GuestMemory pollingRegisters() {
    return polling;
  }

  /** Those of QEMU's edu. */
  GuestMemory inProcessRegisters() {
    return edu;
  }

  /** Guest memory. */
  DmaRange ram() {
    return ram;
  }

  /** A's memory, behind a BAR. */
  DmaRange endpointMemory() {
    return endpointMemory;
  }

  /** The memory of QEMU's ivshmem, behind a BAR. */
  DmaRange inProcessMemory() {
    return inProcessMemory;
  }

  /** B. */
  EndpointInitiator endpointInitiator() {
    return new EndpointInitiator(
        channel, waiting, pair.serverB().function().memory(HbmRegisters.MEMORY_BAR));
  }

  /** QEMU's nvme. */
  NvmeInitiator inProcessInitiator() {
    return new NvmeInitiator(queue, nvmeRegisters, lists, blockSize, inProcess.disk());
  }

  /** Turns the guest off. */
  void powerOff() throws IOException, BenchmarkException {
    List<Lab.Complaint> complaints = pair.lab().powerOff();
    if (!complaints.isEmpty()) {
      throw new BenchmarkException("QEMU or the guest complained: " + complaints);
    }
  }

  @Override
  public void close() throws IOException {
    try {
      pair.close();
    } finally {
      inProcess.close();
    }
  }
}
