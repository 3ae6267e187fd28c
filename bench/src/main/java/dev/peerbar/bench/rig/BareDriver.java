package dev.peerbar.bench.rig;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Drives a function over a bare connection, one request at a time. Where the time of a request
 * counts, it is encoded before: see {@link #exchange}. For one thread.
 */
public final class BareDriver implements AutoCloseable {
  /** The length of a request to map, in bytes; its reply is a header. */
  public static final int MAP_LENGTH = Header.SIZE + 32;

  /** The length of a request to unmap and of its reply, in bytes. */
  public static final int UNMAP_LENGTH = Header.SIZE + 24;

  /** The length of a reply to a register write, in bytes. */
  public static final int WRITE_REPLY = Header.SIZE + RegionWrite.DATA;

  private static final ValueLayout.OfInt FLAGS = ValueLayout.JAVA_INT;
  private static final long FLAGS_AT = 8;
  private static final int ERROR = 1 << 5;

  private static final int COMMAND = 4;
  private static final int MEMORY_SPACE_AND_BUS_MASTER = 2 | 4;
  private static final int CAPABILITIES = 0x34;
  private static final int MSIX_ID = 0x11;
  private static final int MSIX_CONTROL = 2;
  private static final int MSIX_ENABLE = 1 << 15;

  private final Messenger messenger;

  /** Takes over a connection on which the version is agreed on. */
  public BareDriver(Messenger messenger) {
    this.messenger = messenger;
  }

  /** The connection. */
  public Messenger messenger() {
    return messenger;
  }

  /**
   * Sends an encoded request and waits for its reply.
   *
   * @param descriptor to send along, or null
   * @param replyLength in bytes
   * @throws IllegalStateException if it was refused, or the other end has gone
   */
  public MemorySegment exchange(MemorySegment request, FileDescriptor descriptor, int replyLength)
      throws LinuxException {
    messenger.send(request, descriptor);
    // A refusal is a header: waiting for more would be waiting for ever.
    MemorySegment reply = messenger.receive(Math.min(replyLength, Header.SIZE));
    if ((reply.get(FLAGS, FLAGS_AT) & ERROR) != 0) {
      throw new IllegalStateException("refused");
    }
    return messenger.receiveRest(reply.byteSize(), replyLength);
  }

  private MemorySegment call(
      Command command, Payload payload, FileDescriptor descriptor, int replyLength)
      throws LinuxException {
    return exchange(Messages.request(1, command, false, payload), descriptor, replyLength);
  }

  /** A request to map a part of a client's memory for reading and writing. */
  public static MemorySegment mapRequest(long iova, long size, long offset) {
    return Messages.request(
        1,
        Command.DMA_MAP,
        false,
        new DmaMap.Request(DmaMap.READABLE | DmaMap.WRITEABLE, offset, iova, size));
  }

  /** A request to unmap a range. */
  public static MemorySegment unmapRequest(long iova, long size) {
    return Messages.request(1, Command.DMA_UNMAP, false, new DmaUnmap.Request(iova, size));
  }

  /** Maps a part of a client's memory, as one mapping. */
  public void map(long iova, long size, ClientRam ram, long offset) throws LinuxException {
    map(iova, size, ram.file(), offset);
  }

  /** Maps a part of a file, as one mapping. */
  public void map(long iova, long size, FileDescriptor file, long offset) throws LinuxException {
    exchange(mapRequest(iova, size, offset), file, Header.SIZE);
  }

  /** Has a range reached by messages. */
  public void mapWithoutFile(long iova, long size) throws LinuxException {
    exchange(mapRequest(iova, size, 0), null, Header.SIZE);
  }

  /** Writes 4 bytes of a region. */
  public void writeInt(int region, long offset, int value) throws LinuxException {
    write(region, offset, Unpooled.buffer(Integer.BYTES).writeIntLE(value));
  }

  /** Writes 8 bytes of a region. */
  public void writeLong(int region, long offset, long value) throws LinuxException {
    write(region, offset, Unpooled.buffer(Long.BYTES).writeLongLE(value));
  }

  private void write(int region, long offset, ByteBuf data) throws LinuxException {
    call(Command.REGION_WRITE, new RegionWrite.Request(offset, region, data), null, WRITE_REPLY);
  }

  private int readConfigWord(int offset) throws LinuxException {
    int length = Header.SIZE + RegionRead.DATA + Short.BYTES;
    MemorySegment reply =
        call(
            Command.REGION_READ,
            new RegionRead.Request(offset, PciRegion.CONFIG, Short.BYTES),
            null,
            length);
    return Short.toUnsignedInt(reply.get(ValueLayout.JAVA_SHORT, length - Short.BYTES));
  }

  private void writeConfigWord(int offset, int value) throws LinuxException {
    write(PciRegion.CONFIG, offset, Unpooled.buffer(Short.BYTES).writeShortLE(value));
  }

  /** Turns memory decoding, bus mastering and MSI-X on. */
  public void turnOn() throws LinuxException {
    writeConfigWord(COMMAND, MEMORY_SPACE_AND_BUS_MASTER);
    int at = readConfigWord(CAPABILITIES) & 0xff;
    while ((readConfigWord(at) & 0xff) != MSIX_ID) {
      at = readConfigWord(at) >> Byte.SIZE;
    }
    writeConfigWord(at + MSIX_CONTROL, MSIX_ENABLE);
  }

  /** Has an event descriptor signalled for a vector. */
  public void signal(int vector, FileDescriptor event) throws LinuxException {
    call(
        Command.DEVICE_SET_IRQS,
        new DeviceSetIrqs.Request(
            DeviceSetIrqs.DATA_EVENTFD | DeviceSetIrqs.ACTION_TRIGGER,
            PciIrq.MSIX,
            vector,
            1,
            Unpooled.EMPTY_BUFFER),
        event,
        Header.SIZE);
  }

  @Override
  public void close() {
    messenger.close();
  }
}
