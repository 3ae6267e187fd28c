package dev.peerbar.bench.rig;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.devices.hbm.Opcode;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.RegionWrite;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.time.Duration;

/**
 * Channel 0 of an HBM endpoint and its descriptor ring, as a driver has them: interrupts on, the
 * channel enabled. For one thread.
 */
public final class HbmRing implements AutoCloseable {
  /** The ring's IOVA; it is far from what else is mapped. */
  private static final long BASE = 1L << 40;

  private static final int VECTOR = 1;
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Messenger messenger;
  private final ClientRam ram;
  private final FileDescriptor event = EventDescriptor.create();
  private final MemorySegment doorbell;
  private final int entries;
  private int tail;

  /**
   * Sets the endpoint up.
   *
   * @param entries of the ring, a power of two
   * @param posted whether doorbells are written without being told of the end
   */
  public HbmRing(BareDriver driver, int entries, boolean posted) throws LinuxException {
    this.messenger = driver.messenger();
    this.entries = entries;
    ram = new ClientRam(Math.max(ClientRam.PAGE, (long) entries * Descriptor.BYTES));
    doorbell =
        Messages.request(
            1,
            Command.REGION_WRITE,
            posted,
            new RegionWrite.Request(
                HbmRegisters.doorbell(0),
                HbmRegisters.BAR,
                Unpooled.wrappedBuffer(new byte[Integer.BYTES])));
    driver.turnOn();
    driver.signal(VECTOR, event);
    driver.map(BASE, ram.bytes().byteSize(), ram, 0);
    long channel = HbmRegisters.channel(0);
    driver.writeLong(HbmRegisters.BAR, channel + HbmRegisters.RING_BASE, BASE);
    driver.writeInt(HbmRegisters.BAR, channel + HbmRegisters.RING_SIZE, entries);
    driver.writeInt(HbmRegisters.BAR, channel + HbmRegisters.CTRL, HbmRegisters.CTRL_ENABLE);
  }

  /** A descriptor that does nothing but interrupt. */
  public static Descriptor nop() {
    return new Descriptor(Opcode.NOP.code(), Descriptor.INTERRUPT, 0, 0, 0, 0, 0, 0, 0);
  }

  /**
   * Puts a descriptor into an entry that is not valid yet.
   *
   * @param ahead how many entries after TAIL
   */
  public void put(int ahead, Descriptor descriptor) {
    descriptor.put(ram.bytes(), (long) ((tail + ahead) % entries) * Descriptor.BYTES);
  }

  /** Makes the next entries valid and returns the new TAIL. */
  public int advance(int count) {
    tail = (tail + count) % entries;
    return tail;
  }

  /** Sends the doorbell for the next entries. */
  public void ring(int count) throws LinuxException {
    doorbell.set(INT, doorbell.byteSize() - Integer.BYTES, advance(count));
    messenger.send(doorbell);
  }

  /** Waits for the interrupt. */
  public void awaitInterrupt() throws LinuxException {
    if (EventDescriptor.await(event, PATIENCE) == 0) {
      throw new IllegalStateException("no interrupt");
    }
  }

  @Override
  public void close() {
    event.close();
    ram.close();
  }
}
