package dev.peerbar.lab.vfio;

import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.lab.guest.EventFd;
import dev.peerbar.lab.guest.Guest;
import dev.peerbar.lab.guest.GuestMemory;
import dev.peerbar.lab.guest.PciDevice;
import dev.peerbar.pci.AccessWidth;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * A function of the guest as a driver has it, through vfio-pci: its BARs and the memory that it
 * reaches are mapped in the guest's agent, which makes the driver's loads and stores; its
 * interrupts arrive at eventfds there. For one thread at a time.
 *
 * <p>Several functions may share an IOAS or a container; what one of them allocates, all of them
 * reach.
 */
public final class GuestDevice implements Device {
  private static final int BARS = 6;

  private final Guest guest;
  private final VfioDevice vfio;
  private final DmaSpace space;
  private final GuestMemory[] bars = new GuestMemory[BARS];

  /** All that was allocated. */
  private final List<GuestMemory> memories = new ArrayList<>();

  /** What of it the function reaches. */
  private final List<DmaRange> mapped = new ArrayList<>();

  private List<EventFd> vectors = List.of();

  private boolean closed;

  private GuestDevice(Guest guest, VfioDevice vfio, DmaSpace space) {
    this.guest = guest;
    this.vfio = vfio;
    this.space = space;
  }

  /**
   * Opens a function and lets it reach what an IOAS maps.
   *
   * @param pci bound to vfio-pci
   * @param ioas closed after this
   */
  public static GuestDevice open(Guest guest, PciDevice pci, Ioas ioas) throws IOException {
    VfioDevice vfio = VfioDevice.open(pci, ioas.iommufd());
    try {
      vfio.attach(ioas);
      return new GuestDevice(guest, vfio, ioas);
    } catch (IOException | RuntimeException e) {
      vfio.close();
      throw e;
    }
  }

  /**
   * Takes over a function that is open.
   *
   * @param vfio closed with this
   * @param space what it reaches; closed after this
   */
  public static GuestDevice open(Guest guest, VfioDevice vfio, DmaSpace space) {
    return new GuestDevice(guest, vfio, space);
  }

  /** What vfio-pci has beyond a driver's view: DMABUFs, regions, kinds of interrupts. */
  public VfioDevice vfio() {
    return vfio;
  }

  @Override
  public long readConfig(int offset, AccessWidth width) throws IOException {
    return vfio.readConfig(offset, width);
  }

  @Override
  public void writeConfig(int offset, AccessWidth width, long value) throws IOException {
    vfio.writeConfig(offset, width, value);
  }

  @Override
  public GuestMemory bar(int index) throws IOException {
    if (bars[index] == null) {
      bars[index] = vfio.mmapBar(index);
    }
    return bars[index];
  }

  @Override
  public DmaRange allocate(long length) throws IOException {
    return allocate(length, space::map);
  }

  @Override
  public DmaRange allocate(long iova, long length) throws IOException {
    return allocate(length, memory -> space.mapAt(memory, iova));
  }

  @FunctionalInterface
  private interface Mapper {
    DmaRange map(GuestMemory memory) throws IOException;
  }

  private DmaRange allocate(long length, Mapper mapper) throws IOException {
    long page = guest.agent().pageSize();
    GuestMemory memory = guest.allocate((length + page - 1) / page * page);
    memories.add(memory);
    DmaRange range = mapper.map(memory);
    mapped.add(range);
    return range;
  }

  /** {@inheritDoc} The driver has it until this device is closed. */
  @Override
  public void unmap(DmaRange memory) throws IOException {
    if (!mapped.remove(memory)) {
      throw new IllegalArgumentException("not allocated here, or not all of it: " + memory);
    }
    space.unmap(memory);
  }

  /** {@inheritDoc} What it gave before is closed. */
  @Override
  public List<Interrupt> enableMsix(int count) throws IOException {
    if (!vectors.isEmpty()) {
      vfio.disableMsix();
      closeVectors();
    }
    vectors = vfio.enableMsix(count);
    return List.copyOf(vectors);
  }

  private void closeVectors() throws IOException {
    for (EventFd vector : vectors) {
      vector.close();
    }
    vectors = List.of();
  }

  /** {@inheritDoc} The kernel sets config space up again as it was. */
  @Override
  public void reset() throws IOException {
    vfio.reset();
  }

  /** Does nothing: whatever the driver looks at next, it asks the guest. */
  @Override
  public void relax() {}

  /** Closes the function, which ends what it does; then its memory goes. Once is enough. */
  @Override
  public void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    for (GuestMemory bar : bars) {
      if (bar != null) {
        bar.close();
      }
    }
    closeVectors();
    vfio.close();
    for (DmaRange range : List.copyOf(mapped)) {
      unmap(range);
    }
    for (GuestMemory memory : memories) {
      memory.close();
    }
  }
}
