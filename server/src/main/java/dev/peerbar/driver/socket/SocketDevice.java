package dev.peerbar.driver.socket;

import dev.peerbar.driver.Config;
import dev.peerbar.driver.Device;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.driver.Memory;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;

/**
 * A function that a vfio-user server serves, as its driver has it. For one thread at a time.
 *
 * <p>As the client of vfio-user it stands for the virtual machine monitor too: vectors are given
 * event descriptors, and the table of MSI-X in the function's BAR is left alone.
 *
 * <p>Methods throw {@link IOException} of the kinds that {@link VfioUserClient} has: {@link
 * dev.peerbar.protocol.client.RemoteErrorException} says what the server refused.
 */
public final class SocketDevice implements Device {
  /** How the function reaches memory that is allocated for it. */
  public enum Reach {
    /** The server maps it, from a file descriptor. */
    DIRECTLY,
    /** The server asks for it, by DMA_READ and DMA_WRITE. */
    BY_MESSAGES
  }

  /** How a BAR is accessed. */
  public enum Access {
    /** A message for each access, and its reply. */
    MESSAGES,
    /** The same, but for stores nobody waits: the server does not say when they are done. */
    POSTED,
    /** What the server shares is mapped and touched directly, the rest by {@link #MESSAGES}. */
    SHARED
  }

  private static final Capabilities CAPABILITIES =
      new Capabilities(8, 1 << 20, 65535, 4096, Optional.empty(), true, Optional.empty());

  private static final int READ_WRITE = DmaMap.READABLE | DmaMap.WRITEABLE;

  /** Where memory begins whose address this chooses: beyond any RAM that a caller would place. */
  private static final long FIRST_IOVA = 1L << 44;

  private static final long RELAX_NANOS = 20_000;

  private final Reach reach;
  private final RegionMemory configSpace =
      new RegionMemory(this::client, PciRegion.CONFIG, 4096, false);
  private final Map<Integer, Access> usualAccess = new HashMap<>();
  private final Map<BarKey, Memory> bars = new HashMap<>();
  private final List<ClientMemory> allocated = new ArrayList<>();
  private final TreeMap<Long, ClientMemory> mapped = new TreeMap<>(Long::compareUnsigned);
  private final List<EventInterrupt> vectors = new ArrayList<>();
  private VfioUserClient client;
  private long nextIova = FIRST_IOVA;

  private record BarKey(int index, Access access) {}

  /**
   * The function behind a connection, whose memory the server maps.
   *
   * @param client has agreed on a version; closed with this
   */
  public SocketDevice(VfioUserClient client) {
    this(client, Reach.DIRECTLY);
  }

  /**
   * The function behind a connection.
   *
   * @param client has agreed on a version; closed with this
   * @param reach how the function is to reach what is allocated
   */
  public SocketDevice(VfioUserClient client, Reach reach) {
    this.client = client;
    this.reach = reach;
  }

  /**
   * Connects to a server that listens, and agrees on a version.
   *
   * @throws dev.peerbar.linux.LinuxException ENOENT, ECONNREFUSED, EAGAIN if nobody accepts
   */
  public static SocketDevice connect(Path path) throws IOException {
    VfioUserClient client = VfioUserClient.connect(path);
    try {
      client.negotiate(CAPABILITIES);
      return new SocketDevice(client);
    } catch (IOException e) {
      client.close();
      throw e;
    }
  }

  /** The connection, for what a driver does not do. */
  public VfioUserClient client() {
    return client;
  }

  /**
   * The function has moved to another server: what is mapped for it and the vectors' targets are
   * set up there, and nothing else, since its state moved with it.
   *
   * @param other has agreed on a version; closed with this. The client so far is the caller's again
   */
  public void moveTo(VfioUserClient other) throws IOException {
    client = other;
    for (Map.Entry<Long, ClientMemory> memory : mapped.entrySet()) {
      share(memory.getKey(), memory.getValue());
    }
    signalVectors(vectors.size());
    for (Memory bar : bars.values()) {
      if (bar instanceof SharedRegion shared) {
        shared.map();
      }
    }
  }

  @Override
  public long readConfig(int offset, AccessWidth width) throws IOException {
    return configSpace.load(offset, width);
  }

  @Override
  public void writeConfig(int offset, AccessWidth width, long value) throws IOException {
    configSpace.store(offset, width, value);
  }

  /**
   * {@inheritDoc}
   *
   * <p>Unless {@link #accessBar} says otherwise it is {@link Access#SHARED} if the server shares
   * all of it, else {@link Access#MESSAGES}, even where the server shares some.
   */
  @Override
  public Memory bar(int index) throws IOException {
    Access usual = usualAccess.get(index);
    if (usual == null) {
      try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(index)) {
        usual = SharedRegion.whole(info.value()) ? Access.SHARED : Access.MESSAGES;
      }
      usualAccess.put(index, usual);
    }
    return bar(index, usual);
  }

  /**
   * A BAR, all of it, by a way of the caller's choosing. The same object each time.
   *
   * @param index 0 to 5
   */
  public Memory bar(int index, Access access) throws IOException {
    BarKey key = new BarKey(index, access);
    Memory known = bars.get(key);
    if (known != null) {
      return known;
    }
    RegionMemory messages =
        new RegionMemory(this::client, index, regionSize(index), access == Access.POSTED);
    Memory bar = access == Access.SHARED ? new SharedRegion(messages) : messages;
    bars.put(key, bar);
    return bar;
  }

  /**
   * Has {@link #bar(int)} be a BAR by a way of the caller's choosing, for who asks from now on.
   *
   * @param index 0 to 5
   */
  public SocketDevice accessBar(int index, Access access) {
    usualAccess.put(index, access);
    return this;
  }

  private long regionSize(int index) throws IOException {
    try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(index)) {
      return info.value().size();
    }
  }

  @Override
  public DmaRange allocate(long length) throws IOException {
    DmaRange memory = allocate(nextIova, length);
    // A page is left out, so that a transfer that goes on too far is a fault.
    nextIova += memory.length() + ClientMemory.PAGE;
    return memory;
  }

  @Override
  public DmaRange allocate(long iova, long length) throws IOException {
    long pages = Math.ceilDiv(length, ClientMemory.PAGE);
    ClientMemory memory =
        new ClientMemory("peerbar-driver", Math.multiplyExact(pages, ClientMemory.PAGE));
    try {
      share(iova, memory);
    } catch (IOException e) {
      memory.close();
      throw e;
    }
    allocated.add(memory);
    mapped.put(iova, memory);
    return DmaRange.of(new SegmentMemory(memory.bytes()), iova);
  }

  private void share(long iova, ClientMemory memory) throws IOException {
    Optional<FileDescriptor> file = Optional.of(memory.file());
    if (reach == Reach.BY_MESSAGES) {
      client.memory().put(iova, memory.bytes());
      file = Optional.empty();
    }
    client.dmaMap(READ_WRITE, 0, iova, memory.bytes().byteSize(), file);
  }

  /**
   * {@inheritDoc}
   *
   * <p>The driver may use it until this device is closed.
   *
   * @throws IllegalArgumentException if it is not all of what was allocated, and is mapped
   */
  @Override
  public void unmap(DmaRange memory) throws IOException {
    ClientMemory whole = mapped.get(memory.iova());
    if (whole == null || !isAll(memory, whole)) {
      throw new IllegalArgumentException("not mapped, or a part: " + memory);
    }
    client.dmaUnmap(memory.iova(), memory.length());
    mapped.remove(memory.iova());
    client.memory().remove(memory.iova());
  }

  /**
   * Gives the function memory again that {@link #unmap} took away, at the same address.
   *
   * @throws IllegalArgumentException if it is not all of what was allocated
   */
  public void mapAgain(DmaRange memory) throws IOException {
    ClientMemory whole =
        allocated.stream()
            .filter(each -> isAll(memory, each))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("not allocated here: " + memory));
    share(memory.iova(), whole);
    mapped.put(memory.iova(), whole);
  }

  private static boolean isAll(DmaRange memory, ClientMemory whole) {
    return memory.memory().equals(new SegmentMemory(whole.bytes()))
        && memory.length() == whole.bytes().byteSize();
  }

  @Override
  public List<Interrupt> enableMsix(int count) throws IOException {
    while (vectors.size() < count) {
      vectors.add(new EventInterrupt(EventDescriptor.create()));
    }
    signalVectors(count);
    Config config = new Config(this);
    int control = config.capability(Msix.ID) + Msix.MESSAGE_CONTROL;
    config.word(control, config.word(control) & ~Msix.FUNCTION_MASK | Msix.ENABLE);
    return List.copyOf(vectors.subList(0, count));
  }

  /** One a message, which every server takes. */
  private void signalVectors(int count) throws IOException {
    for (int vector = 0; vector < count; vector++) {
      client.setIrqEvents(PciIrq.MSIX, vector, vectors.get(vector).event());
    }
  }

  /**
   * The event descriptor of a vector, owned by this.
   *
   * @param vector that {@link #enableMsix} has enabled
   */
  public FileDescriptor event(int vector) {
    return vectors.get(vector).event();
  }

  /** {@inheritDoc} It is a function-level reset, which the server is done with when it answers. */
  @Override
  public void reset() throws IOException {
    new Config(this).functionLevelReset();
  }

  /** Resets the device as its slot would: DEVICE_RESET. */
  public void resetDevice() throws IOException {
    client.reset();
  }

  @Override
  public void relax() {
    LockSupport.parkNanos(RELAX_NANOS);
  }

  /** Ends the connection, and frees all memory: nobody may touch it any more. */
  @Override
  public void close() {
    // First, so that neither the server nor the thread that answers it uses what follows.
    client.close();
    bars.values().stream()
        .filter(SharedRegion.class::isInstance)
        .map(SharedRegion.class::cast)
        .forEach(SharedRegion::close);
    vectors.forEach(vector -> vector.event().close());
    allocated.forEach(ClientMemory::close);
  }
}
