package dev.peerbar.bench.endpoints;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.hbm.Opcode;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.client.VfioUserClient;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** An endpoint at work: its channel copies in memory that its client has mapped for it. */
final class Copies implements AutoCloseable {
  private static final long RING = 0x10_0000_0000L;
  private static final long DATA = 0x20_0000_0000L;
  private static final int READ_WRITE = DmaMap.READABLE | DmaMap.WRITEABLE;

  /** The largest ring, so that the channel has to copy for long. */
  private static final int ENTRIES = 1 << HbmRegisters.LARGEST_RING_LOG2;

  private static final long RING_BYTES = (long) ENTRIES * Descriptor.BYTES;
  private static final long CHANNEL = HbmRegisters.channel(0);

  /** A thread among many that copy may have to wait for long until it runs. */
  private static final Duration TIMEOUT = Duration.ofMinutes(1);

  // Config space.
  private static final int COMMAND = 4;
  private static final byte MEMORY_SPACE_AND_BUS_MASTER = 2 | 4;

  private final VfioUserClient client;
  private final FileDescriptor data;

  private Copies(VfioUserClient client, FileDescriptor data) {
    this.client = client;
    this.data = data;
  }

  /**
   * A descriptor ring for any number of endpoints, which only read it.
   *
   * @param length of each copy, in bytes
   */
  static FileDescriptor ring(long length) throws LinuxException {
    FileDescriptor ring = SharedMemory.create("ring", RING_BYTES);
    try (Mapping mapping = SharedMemory.map(ring, 0, RING_BYTES, SharedMemory.Access.READ_WRITE)) {
      Descriptor copy =
          new Descriptor(Opcode.COPY.code(), 0, DATA, DATA + length, length, 0, 0, 0, 0);
      for (int i = 0; i < ENTRIES; i++) {
        copy.put(mapping.segment(), (long) i * Descriptor.BYTES);
      }
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
  static Copies prepare(VfioUserClient client, FileDescriptor ring, long length)
      throws IOException {
    Copies copies = new Copies(client, SharedMemory.create("copies", 2 * length));
    client.setTimeout(TIMEOUT);
    client.negotiate(Capabilities.DEFAULTS);
    client.dmaMap(READ_WRITE, 0, RING, RING_BYTES, Optional.of(ring));
    client.dmaMap(READ_WRITE, 0, DATA, 2 * length, Optional.of(copies.data));
    client.regionWrite(PciRegion.CONFIG, COMMAND, new byte[] {MEMORY_SPACE_AND_BUS_MASTER, 0});
    client.writeLong(HbmRegisters.BAR, CHANNEL + HbmRegisters.RING_BASE, RING);
    client.writeInt(HbmRegisters.BAR, CHANNEL + HbmRegisters.RING_SIZE, ENTRIES);
    client.writeInt(HbmRegisters.BAR, CHANNEL + HbmRegisters.CTRL, HbmRegisters.CTRL_ENABLE);
    return copies;
  }

  /** Begins to copy. Does not wait: the processors may have much to do from now on. */
  void start() throws IOException {
    byte[] tail = Unpooled.buffer(Integer.BYTES).writeIntLE(ENTRIES - 1).array();
    client.regionWritePosted(HbmRegisters.BAR, HbmRegisters.doorbell(0), tail);
  }

  /** Whether the endpoint still copies. */
  boolean running() throws IOException {
    int status = client.readInt(HbmRegisters.BAR, HbmRegisters.STATUS);
    return (status & HbmRegisters.STATUS_RUNNING) != 0;
  }

  @Override
  public void close() {
    client.close();
    data.close();
  }
}
