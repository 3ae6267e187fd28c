package dev.peerbar.protocol.client;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.MigDataRead;
import dev.peerbar.protocol.MigDataWrite;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import dev.peerbar.protocol.Version;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;

/**
 * A client of a vfio-user server.
 *
 * <p>For any number of threads. Each call sends a request and waits for its reply; a call that is
 * not answered in time throws {@link SocketTimeoutException}, one that the server refuses {@link
 * RemoteErrorException}, one whose connection ends {@link EOFException}, and one whose reply makes
 * no sense {@link ProtocolException}. Descriptors that are sent stay the caller's.
 *
 * <p>Requests of the server are served meanwhile by a thread of its own, from {@link #memory}
 * unless {@link #serveDma} says otherwise.
 */
public final class VfioUserClient implements AutoCloseable {
  private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(10);

  /** How much reply to ask for where the length is not known before. */
  private static final int AMPLE_REPLY = 1 << 20;

  private final DmaMemory memory = new DmaMemory();
  private final OptionalInt strictly;
  private final Connection main;
  private volatile DmaHandler dma = memory;
  private volatile Duration timeout = DEFAULT_TIMEOUT;
  private volatile Optional<Connection> twin = Optional.empty();

  private VfioUserClient(FileDescriptor socket, OptionalInt strictly) {
    this.strictly = strictly;
    this.main = new Connection(socket, "vfio-user-client", () -> dma, strictly);
  }

  /**
   * Connects to a server that listens. Negotiates nothing.
   *
   * @throws dev.peerbar.linux.LinuxException ENOENT, ECONNREFUSED, EAGAIN if nobody accepts
   */
  public static VfioUserClient connect(Path path) throws IOException {
    return connect(UnixSocket.connect(path, DEFAULT_TIMEOUT));
  }

  /** Takes over a connected socket. Negotiates nothing. */
  public static VfioUserClient connect(FileDescriptor socket) {
    return new VfioUserClient(socket, OptionalInt.empty());
  }

  /**
   * Takes over a socket connected to a server that is not trusted. Negotiates nothing. A longer
   * message, or a reply to no request, ends the connection, and calls throw {@link
   * ProtocolException}.
   *
   * @param mostReceived the most bytes of a message of the server, with its header
   */
  public static VfioUserClient connectStrictly(FileDescriptor socket, int mostReceived) {
    return new VfioUserClient(socket, OptionalInt.of(mostReceived));
  }

  /** How long a call waits from now on; 10 seconds unless set. */
  public void setTimeout(Duration timeout) {
    this.timeout = timeout;
  }

  /** The memory that the server's requests are served from. */
  public DmaMemory memory() {
    return memory;
  }

  /** Serves the server's requests by a handler from now on. */
  public void serveDma(DmaHandler handler) {
    dma = handler;
  }

  /**
   * A result of a call that descriptors came along with.
   *
   * @param value what the server said
   * @param descriptors what it gave, for the caller to close
   */
  public record WithDescriptors<T>(T value, List<FileDescriptor> descriptors)
      implements AutoCloseable {
    @Override
    public void close() {
      descriptors.forEach(FileDescriptor::close);
    }
  }

  /** Proposes the version of this package and capabilities. The first call to make. */
  public Version.Reply negotiate(Capabilities capabilities) throws IOException {
    return negotiate(new Version.Request(Version.MAJOR, Version.MINOR, capabilities));
  }

  /** Proposes a version. Uses the twin socket if the server sets one up. */
  public Version.Reply negotiate(Version.Request proposal) throws IOException {
    try (WithDescriptors<Version.Reply> agreed =
        callForDescriptors(Command.VERSION, proposal, Version.Reply::decode)) {
      if (agreed.value().capabilities().twinSocket().isPresent()) {
        useTwin(agreed.value().capabilities().twinSocket().get(), agreed.descriptors());
      }
      return agreed.value();
    }
  }

  private void useTwin(Capabilities.TwinSocket agreed, List<FileDescriptor> descriptors)
      throws IOException {
    if (!agreed.supported()) {
      return;
    }
    int index = agreed.fdIndex().orElse(-1);
    if (index < 0 || index >= descriptors.size()) {
      close();
      throw new ProtocolException("twin socket without a descriptor");
    }
    FileDescriptor socket = descriptors.get(index).duplicate();
    twin = Optional.of(new Connection(socket, "vfio-user-client-twin", () -> dma, strictly));
  }

  /**
   * Lets the device access memory.
   *
   * @param flags {@link DmaMap#READABLE}, {@link DmaMap#WRITEABLE}
   * @param offset into the file
   * @param iova the first address
   * @param size in bytes
   * @param file the memory, or empty to be asked by messages
   */
  public void dmaMap(int flags, long offset, long iova, long size, Optional<FileDescriptor> file)
      throws IOException {
    acknowledged(
        Command.DMA_MAP,
        new DmaMap.Request(flags, offset, iova, size),
        file.stream().toArray(FileDescriptor[]::new));
  }

  /** Ends the access to memory. */
  public DmaUnmap.Reply dmaUnmap(long iova, long size) throws IOException {
    return call(Command.DMA_UNMAP, new DmaUnmap.Request(iova, size), DmaUnmap.Reply::decode);
  }

  public DeviceGetInfo.Reply deviceInfo() throws IOException {
    return call(Command.DEVICE_GET_INFO, new DeviceGetInfo.Request(), DeviceGetInfo.Reply::decode);
  }

  /** Asks for a region with as much room as that takes: first little, then what is needed. */
  public WithDescriptors<DeviceGetRegionInfo.Reply> regionInfo(int index) throws IOException {
    WithDescriptors<DeviceGetRegionInfo.Reply> first =
        regionInfo(index, DeviceGetRegionInfo.Request.LENGTH);
    if (first.value().argsz() <= DeviceGetRegionInfo.Request.LENGTH) {
      return first;
    }
    first.close();
    return regionInfo(index, first.value().argsz());
  }

  /**
   * Asks for a region.
   *
   * @param argsz how many bytes the reply may have
   */
  public WithDescriptors<DeviceGetRegionInfo.Reply> regionInfo(int index, int argsz)
      throws IOException {
    return callForDescriptors(
        Command.DEVICE_GET_REGION_INFO,
        new DeviceGetRegionInfo.Request(argsz, index),
        payload -> DeviceGetRegionInfo.Reply.decode(Unpooled.copiedBuffer(payload)));
  }

  public WithDescriptors<DeviceGetRegionIoFds.Reply> regionIoFds(int index) throws IOException {
    return callForDescriptors(
        Command.DEVICE_GET_REGION_IO_FDS,
        new DeviceGetRegionIoFds.Request(AMPLE_REPLY, 0, index, 0),
        DeviceGetRegionIoFds.Reply::decode);
  }

  public DeviceGetIrqInfo.Reply irqInfo(int index) throws IOException {
    return call(
        Command.DEVICE_GET_IRQ_INFO,
        new DeviceGetIrqInfo.Request(index),
        DeviceGetIrqInfo.Reply::decode);
  }

  /**
   * Sets up interrupts.
   *
   * @param flags a {@code DATA_} and an {@code ACTION_} of {@link DeviceSetIrqs}
   * @param booleans with {@link DeviceSetIrqs#DATA_BOOL} a byte each, else none
   * @param events with {@link DeviceSetIrqs#DATA_EVENTFD} one each, or none to take them away
   */
  public void setIrqs(
      int flags, int index, int start, int count, byte[] booleans, FileDescriptor... events)
      throws IOException {
    acknowledged(
        Command.DEVICE_SET_IRQS,
        new DeviceSetIrqs.Request(flags, index, start, count, Unpooled.wrappedBuffer(booleans)),
        events);
  }

  /** Has event descriptors signalled for interrupts, the first for the interrupt {@code start}. */
  public void setIrqEvents(int index, int start, FileDescriptor... events) throws IOException {
    int flags = DeviceSetIrqs.DATA_EVENTFD | DeviceSetIrqs.ACTION_TRIGGER;
    setIrqs(flags, index, start, events.length, new byte[0], events);
  }

  /** Disables all interrupts of a type. */
  public void disableIrqs(int index) throws IOException {
    int flags = DeviceSetIrqs.DATA_NONE | DeviceSetIrqs.ACTION_TRIGGER;
    setIrqs(flags, index, 0, 0, new byte[0]);
  }

  /** Reads a region. */
  public byte[] regionRead(int region, long offset, int count) throws IOException {
    return call(
        Command.REGION_READ,
        new RegionRead.Request(offset, region, count),
        payload -> ByteBufUtil.getBytes(RegionRead.Reply.decode(payload).data()));
  }

  /** Reads 4 bytes of a region, little-endian. */
  public int readInt(int region, long offset) throws IOException {
    return Unpooled.wrappedBuffer(regionRead(region, offset, Integer.BYTES)).readIntLE();
  }

  /** Reads 8 bytes of a region, little-endian. */
  public long readLong(int region, long offset) throws IOException {
    return Unpooled.wrappedBuffer(regionRead(region, offset, Long.BYTES)).readLongLE();
  }

  /** Writes a region and waits until it is written. */
  public void regionWrite(int region, long offset, byte[] data) throws IOException {
    call(
        Command.REGION_WRITE,
        new RegionWrite.Request(offset, region, Unpooled.wrappedBuffer(data)),
        RegionWrite.Reply::decode);
  }

  /** Writes a region without being told of its end. */
  public void regionWritePosted(int region, long offset, byte[] data) throws IOException {
    post(
        Command.REGION_WRITE,
        new RegionWrite.Request(offset, region, Unpooled.wrappedBuffer(data)));
  }

  /** Writes 4 bytes of a region, little-endian. */
  public void writeInt(int region, long offset, int value) throws IOException {
    regionWrite(region, offset, Unpooled.buffer(Integer.BYTES).writeIntLE(value).array());
  }

  /** Writes 8 bytes of a region, little-endian. */
  public void writeLong(int region, long offset, long value) throws IOException {
    regionWrite(region, offset, Unpooled.buffer(Long.BYTES).writeLongLE(value).array());
  }

  /** Does several writes. */
  public RegionWriteMulti.Reply regionWriteMulti(List<RegionWriteMulti.Write> writes)
      throws IOException {
    return call(
        Command.REGION_WRITE_MULTI,
        new RegionWriteMulti.Request(writes),
        RegionWriteMulti.Reply::decode);
  }

  public void reset() throws IOException {
    acknowledged(Command.DEVICE_RESET, new DeviceReset.Request());
  }

  /**
   * Probes, gets or sets a feature, the data of which in a reply are less than 1 MiB.
   *
   * @param flags the feature's number and what to do with it
   * @param data as the feature wants them
   */
  public DeviceFeature.Reply deviceFeature(int flags, ByteBuf data) throws IOException {
    return deviceFeature(AMPLE_REPLY, flags, data);
  }

  /**
   * Probes, gets or sets a feature.
   *
   * @param argsz how many bytes the reply may have
   * @param flags the feature's number and what to do with it
   * @param data as the feature wants them
   */
  public DeviceFeature.Reply deviceFeature(int argsz, int flags, ByteBuf data) throws IOException {
    return call(
        Command.DEVICE_FEATURE,
        new DeviceFeature.Request(argsz, flags, data),
        payload -> DeviceFeature.Reply.decode(Unpooled.copiedBuffer(payload)));
  }

  /** Asks where the device is in a migration. */
  public MigrationState.State migrationState() throws IOException {
    return call(
        Command.DEVICE_FEATURE,
        new DeviceFeature.Request(
            AMPLE_REPLY,
            DeviceFeature.Feature.MIG_DEVICE_STATE.index() | DeviceFeature.GET,
            Unpooled.EMPTY_BUFFER),
        payload -> MigrationState.decode(DeviceFeature.Reply.decode(payload).data()).state());
  }

  /** Has the device go to a state of a migration. */
  public void migrateTo(MigrationState.State state) throws IOException {
    MigrationState wanted = new MigrationState(state, -1);
    ByteBuf data = Unpooled.buffer(wanted.encodedSize());
    wanted.encode(data);
    deviceFeature(DeviceFeature.Feature.MIG_DEVICE_STATE.index() | DeviceFeature.SET, data);
  }

  /** Reads the next piece of the device's state, empty at its end. */
  public byte[] migrationRead(int size) throws IOException {
    return call(
        Command.MIG_DATA_READ,
        new MigDataRead.Request(MigDataRead.DATA + size, size),
        payload -> ByteBufUtil.getBytes(MigDataRead.Reply.decode(payload).data()));
  }

  /** Writes the next piece of a device's state. */
  public void migrationWrite(byte[] data) throws IOException {
    acknowledged(Command.MIG_DATA_WRITE, new MigDataWrite.Request(Unpooled.wrappedBuffer(data)));
  }

  /**
   * Sends any request, and does not wait.
   *
   * @return the reply, to be released, whether it is a failure or not
   */
  public CompletableFuture<Frame> submit(
      Command command, Payload payload, FileDescriptor... descriptors) throws IOException {
    return main.submit(command, payload, List.of(descriptors), timeout);
  }

  /** Sends any request that is not to be replied to. */
  public void post(Command command, Payload payload, FileDescriptor... descriptors)
      throws IOException {
    main.post(command, payload, List.of(descriptors), timeout);
  }

  /** Sends any bytes, for messages that no typed call would send. */
  public void send(ByteBuf bytes, FileDescriptor... descriptors) throws IOException {
    main.socket().send(bytes, List.of(descriptors), timeout);
  }

  /** Waits for a reply that belongs to none of the other calls. To be released. */
  public Frame receive() throws IOException {
    return main.receive(timeout);
  }

  /**
   * Waits until the server ends the connection.
   *
   * @return false if it did not in time
   */
  public boolean awaitEnd(Duration timeout) {
    return main.awaitEnd(timeout);
  }

  /** How a reply's payload becomes a value that needs the payload no more. */
  private interface Decoder<T> {
    T decode(ByteBuf payload) throws InvalidMessageException;
  }

  private void acknowledged(Command command, Payload payload, FileDescriptor... descriptors)
      throws IOException {
    call(command, payload, DeviceReset.Request::decode, descriptors);
  }

  private <T> T call(
      Command command, Payload payload, Decoder<T> decoder, FileDescriptor... descriptors)
      throws IOException {
    Frame reply = main.call(command, payload, List.of(descriptors), timeout);
    try {
      return decode(reply, decoder);
    } finally {
      reply.release();
    }
  }

  private <T> WithDescriptors<T> callForDescriptors(
      Command command, Payload payload, Decoder<T> decoder) throws IOException {
    Frame reply = main.call(command, payload, List.of(), timeout);
    try {
      T value = decode(reply, decoder);
      return new WithDescriptors<>(value, reply.descriptors().takeAll());
    } finally {
      reply.release();
    }
  }

  private static <T> T decode(Frame reply, Decoder<T> decoder) throws ProtocolException {
    try {
      return decoder.decode(reply.payload());
    } catch (InvalidMessageException e) {
      throw new ProtocolException(reply.header() + ": " + e.getMessage());
    }
  }

  /** Ends the connection. Calls that wait fail. */
  @Override
  public void close() {
    main.close();
    twin.ifPresent(Connection::close);
  }
}
