package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Optional;

/** Drives one channel of an HBM endpoint through its registers, a ring and interrupts. */
final class HbmDriver implements AutoCloseable {
  static final long RING = 0x10_0000_0000L;
  static final int ENTRIES = 32;

  static final int IDLE = 0;
  static final int RUNNING = 1;
  static final int HALTED = 2;

  static final int READ_FAULT = 2;
  static final int WRITE_FAULT = 3;
  static final int BUS_MASTER_DISABLED = 6;

  static final int COMMAND = ConfigSpace.COMMAND;
  static final short MEMORY_SPACE = ConfigSpace.MEMORY_SPACE;
  static final short BUS_MASTER = ConfigSpace.BUS_MASTER;
  static final int POWER_MANAGEMENT_ID = ConfigSpace.POWER_MANAGEMENT_ID;
  static final int PCI_EXPRESS_ID = ConfigSpace.PCI_EXPRESS_ID;
  static final int MSIX_ID = ConfigSpace.MSIX_ID;

  private static final long FAULT_ADDR = 0x20;
  private static final long FAULT = 0x28;
  private static final long CTRL = 0x00;
  private static final long STATE = 0x04;
  private static final long RING_BASE = 0x08;
  private static final long RING_SIZE = 0x10;
  private static final long HEAD = 0x14;
  private static final long ERROR = 0x18;
  private static final long COMPLETED = 0x20;

  private VfioUserClient client;
  private final int channel;
  private final GuestMemory memory;
  private final MemorySegment ring;
  private final FileDescriptor event = EventDescriptor.create();
  private int tail;

  /** Its ring is mapped, with a descriptor; MSI-X and bus mastering are on, the channel enabled. */
  HbmDriver(VfioUserClient client, int channel) throws IOException {
    this.client = client;
    this.channel = channel;
    memory = new GuestMemory("hbm-ring", GuestMemory.PAGE);
    ring = memory.bytes();
    attach();
    start();
  }

  private void attach() throws IOException {
    client.dmaMap(Wire.READ_WRITE, 0, ringBase(), GuestMemory.PAGE, Optional.of(memory.file()));
    client.setIrqEvents(PciIrq.MSIX, channel + 1, event);
  }

  /** The endpoint has moved: another client's it is now. Maps the ring there, sets nothing up. */
  void moveTo(VfioUserClient other) throws IOException {
    client = other;
    attach();
  }

  private long ringBase() {
    return RING + channel * GuestMemory.PAGE;
  }

  /** What is left to do after a reset: config space and the channel. */
  void start() throws IOException {
    command((short) (MEMORY_SPACE | BUS_MASTER));
    maskAll(false);
    enable();
  }

  void enable() throws IOException {
    client.writeLong(Wire.REGISTERS, register(RING_BASE), ringBase());
    client.writeInt(Wire.REGISTERS, register(RING_SIZE), ENTRIES);
    client.writeInt(Wire.REGISTERS, register(CTRL), 1);
    tail = 0;
  }

  private long register(long offset) {
    return 0x1000 + channel * 0x100L + offset;
  }

  static long doorbell(int channel) {
    return 0x8000 + channel * 0x100L;
  }

  /** Puts entries into the ring. Returns the new TAIL. */
  int put(RingEntry... entries) {
    for (RingEntry entry : entries) {
      entry.store(ring, tail);
      tail = (tail + 1) % ENTRIES;
    }
    return tail;
  }

  void submit(RingEntry... entries) throws IOException {
    client.writeInt(Wire.REGISTERS, doorbell(channel), put(entries));
  }

  /** Submits and waits until the channel interrupts. */
  void run(RingEntry... entries) throws IOException {
    submit(entries);
    awaitInterrupt();
  }

  void awaitInterrupt() throws IOException {
    assertThat(EventDescriptor.await(event, Wire.LIMIT)).as("interrupts").isPositive();
  }

  /** Whether an interrupt has been signalled by now. */
  boolean interrupted() throws IOException {
    return EventDescriptor.await(event, Duration.ZERO) != 0;
  }

  FileDescriptor event() {
    return event;
  }

  int state() throws IOException {
    return client.readInt(Wire.REGISTERS, register(STATE));
  }

  int head() throws IOException {
    return client.readInt(Wire.REGISTERS, register(HEAD));
  }

  int error() throws IOException {
    return client.readInt(Wire.REGISTERS, register(ERROR));
  }

  long completed() throws IOException {
    return client.readLong(Wire.REGISTERS, register(COMPLETED));
  }

  long faultAddress() throws IOException {
    return client.readLong(Wire.REGISTERS, FAULT_ADDR);
  }

  /** The channel halted with an error. */
  void halted(int error) throws IOException {
    assertThat(state()).as("STATE").isEqualTo(HALTED);
    assertThat(error()).as("ERROR").isEqualTo(error);
    assertThat(client.readInt(Wire.REGISTERS, FAULT)).isEqualTo(1 | channel << 8 | error << 16);
  }

  void idle() throws IOException {
    assertThat(error()).as("ERROR").isZero();
    assertThat(state()).as("STATE").isEqualTo(IDLE);
  }

  // Config space.

  void command(short value) throws IOException {
    config().command(value);
  }

  void maskAll(boolean on) throws IOException {
    config().enableMsix(on);
  }

  /** Initiates a function-level reset. */
  void functionLevelReset() throws IOException {
    config().functionLevelReset();
  }

  void powerState(int state) throws IOException {
    config().powerState(state);
  }

  int capability(int id) throws IOException {
    return config().capability(id);
  }

  private ConfigSpace config() {
    return new ConfigSpace(client);
  }

  @Override
  public void close() {
    event.close();
    memory.close();
  }
}
