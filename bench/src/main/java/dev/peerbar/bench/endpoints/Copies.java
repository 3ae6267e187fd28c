package dev.peerbar.bench.endpoints;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.SegmentMemory;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.driver.socket.ClientMemory;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.client.VfioUserClient;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** An endpoint at work: its channel copies in memory that its client has mapped for it. */
final class Copies implements AutoCloseable {
  private static final long RING = 0x10_0000_0000L;
  private static final long DATA = 0x20_0000_0000L;

  /** The largest ring, so that the channel has to copy for long. */
  private static final int ENTRIES = 1 << HbmRegisters.LARGEST_RING_LOG2;

  private static final long RING_BYTES = (long) ENTRIES * Descriptor.BYTES;

  /** A thread among many that copy may have to wait for long until it runs. */
  private static final Duration TIMEOUT = Duration.ofMinutes(1);

  private final SocketDevice device;
  private final HbmDriver driver;
  private final HbmChannel channel;

  private Copies(SocketDevice device, HbmDriver driver, HbmChannel channel) {
    this.device = device;
    this.driver = driver;
    this.channel = channel;
  }

  /**
   * A descriptor ring for any number of endpoints, which only read it.
   *
   * @param length of each copy, in bytes
   */
  static ClientMemory ring(long length) throws LinuxException {
    ClientMemory ring = new ClientMemory("bench-ring", RING_BYTES);
    Descriptor copy = Descriptor.copy(length).from(DATA).to(DATA + length);
    for (int i = 0; i < ENTRIES; i++) {
      copy.put(ring.bytes(), (long) i * Descriptor.BYTES);
    }
    return ring;
  }

  /**
   * Prepares to copy.
   *
   * @param client taken over; has agreed on nothing
   * @param ring stays the caller's
   * @param length of each copy, in bytes; twice as much is mapped
   */
  static Copies prepare(VfioUserClient client, ClientMemory ring, long length) throws IOException {
    client.setTimeout(TIMEOUT);
    client.negotiate(Capabilities.DEFAULTS);
    SocketDevice device = new SocketDevice(client);
    HbmDriver driver = HbmDriver.of(device);
    client.dmaMap(DmaMap.READABLE, 0, RING, RING_BYTES, Optional.of(ring.file()));
    device.allocate(DATA, 2 * length);
    HbmChannel channel =
        driver.channel(0, DmaRange.of(new SegmentMemory(ring.bytes()), RING)).enable();
    return new Copies(device, driver, channel);
  }

  /** Begins to copy. Does not wait: the processors may have much to do from now on. */
  void start() throws IOException {
    device
        .bar(HbmRegisters.BAR, SocketDevice.Access.POSTED)
        .storeInt(channel.doorbell(), channel.advance(ENTRIES - 1));
  }

  /** Whether the endpoint still copies. */
  boolean running() throws IOException {
    return (driver.status() & HbmRegisters.STATUS_RUNNING) != 0;
  }

  @Override
  public void close() {
    device.close();
  }
}
