package dev.peerbar.server.function;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.socket.SocketDevice;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.DeviceGetRegionIoFds.IoEventFd;
import dev.peerbar.protocol.DeviceGetRegionIoFds.SubRegion;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** DEVICE_GET_REGION_IO_FDS: doorbells that ring when an event descriptor is signalled. */
@Tag("polled")
@Timeout(120)
final class IoEventFdTest {
  private static final long TAIL = 0x8000;
  private static final long COMPLETED = 0x1020;

  @TempDir private Path directory;
  private final List<AutoCloseable> owned = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable resource : owned) {
      resource.close();
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.addFirst(resource);
    return resource;
  }

  private static Capabilities capabilities(int descriptors) {
    return new Capabilities(
        descriptors, 1 << 20, 65535, 4096, Optional.empty(), true, Optional.empty());
  }

  private VfioUserClient connect(Path path, int descriptors) throws IOException {
    VfioUserClient client = own(VfioUserClient.connect(path));
    client.setTimeout(Wire.LIMIT);
    client.negotiate(capabilities(descriptors));
    return client;
  }

  private Wire hbm(DoorbellMode mode) throws IOException {
    Wire wire = own(Wire.connected(directory, Wire.config(mode)));
    wire.client().close();
    return wire;
  }

  private WithDescriptors<DeviceGetRegionIoFds.Reply> ask(VfioUserClient client, int region)
      throws IOException {
    return own(client.regionIoFds(region));
  }

  /** The server closes what it has sent a moment after the client has it. */
  private static void awaitOpen(String which, long count) throws Exception {
    Wire.await(which, () -> OpenFiles.count() == count);
  }

  // What is offered.

  @ParameterizedTest
  @CsvSource({"0, 0", "1, 1", "2, 2", "5, 5", "16, 16", "17, 16", "1000000, 16"})
  void asManyAsTheClientTakesTheMostUsefulFirst(int limit, int offered) throws Exception {
    VfioUserClient client = connect(hbm(DoorbellMode.TRAP).path(), limit);
    WithDescriptors<DeviceGetRegionIoFds.Reply> answer = ask(client, Wire.REGISTERS);
    List<SubRegion> expected = new ArrayList<>();
    for (long value : new long[] {1, 0, 2, 3, 4, 5, 6, 7}) {
      for (long channel = 0; channel < Wire.CHANNELS; channel++) {
        expected.add(
            new IoEventFd(TAIL + channel * 0x100, 4, expected.size(), IoEventFd.DATAMATCH, value));
      }
    }
    assertThat(answer.value())
        .isEqualTo(DeviceGetRegionIoFds.Reply.full(Wire.REGISTERS, expected.subList(0, offered)));
    assertThat(answer.descriptors()).hasSize(offered);
    for (FileDescriptor event : answer.descriptors()) {
      assertThat(EventDescriptor.isEventDescriptor(event)).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({"16, 0", "56, 0", "335, 0", "336, 8", "337, 8"})
  void aClientWithoutRoomIsToldHowMuchItTakes(int argsz, int expected) throws Exception {
    VfioUserClient client = connect(hbm(DoorbellMode.TRAP).path(), 8);
    long open = OpenFiles.count();
    Frame reply =
        client
            .submit(
                Command.DEVICE_GET_REGION_IO_FDS,
                new DeviceGetRegionIoFds.Request(argsz, 0, Wire.REGISTERS, 0))
            .get();
    DeviceGetRegionIoFds.Reply answer = DeviceGetRegionIoFds.Reply.decode(reply.payload());
    assertThat(answer.argsz()).isEqualTo(16 + 8 * 40);
    assertThat(answer.count()).isEqualTo(8);
    assertThat(answer.subRegions()).hasSize(expected);
    assertThat(reply.descriptors().count()).isEqualTo(expected);
    reply.release();
    awaitOpen("the server's own: eight events, a set of them, and its watch", open + 8 + 2);
  }

  @Test
  void otherRegionsHaveNone() throws Exception {
    VfioUserClient client = connect(hbm(DoorbellMode.TRAP).path(), 8);
    long open = OpenFiles.count();
    for (int region = 0; region < PciRegion.COUNT; region++) {
      if (region != Wire.REGISTERS) {
        assertThat(ask(client, region).value())
            .isEqualTo(DeviceGetRegionIoFds.Reply.full(region, List.of()));
      }
    }
    assertThat(OpenFiles.count()).isEqualTo(open);
  }

  @Test
  void mappedDoorbellsHaveNone() throws Exception {
    VfioUserClient client = connect(hbm(DoorbellMode.MAP).path(), 8);
    assertThat(ask(client, Wire.REGISTERS).value().count()).isZero();
  }

  // What rings.

  @Test
  void theChannelRunsWhenTheEventIsSignalled() throws Exception {
    VfioUserClient client = connect(hbm(DoorbellMode.TRAP).path(), 8);
    HbmChannel channel = Wire.channel(own(new SocketDevice(client)), 0);
    List<FileDescriptor> events = ask(client, Wire.REGISTERS).descriptors();
    GuestMemory memory = own(new GuestMemory("ioevent", GuestMemory.PAGE)).randomise(1);
    client.dmaMap(Wire.READ_WRITE, 0, 0x1000, GuestMemory.PAGE, Optional.of(memory.file()));
    assertThat(
            channel
                .put(Descriptor.copy(GuestMemory.PAGE).from(0x1000).toLocal(64).interrupt())
                .tail())
        .isOne();
    EventDescriptor.signal(events.get(0));
    channel.awaitInterrupt();
    assertThat(client.regionRead(Wire.MEMORY, 64, (int) GuestMemory.PAGE))
        .isEqualTo(memory.bytes().toArray(ValueLayout.JAVA_BYTE));
    // A value that has an event (2, of channel 0), one that has none by a message, and again.
    assertThat(channel.put(Descriptor.nop().interrupt()).tail()).isEqualTo(2);
    EventDescriptor.signal(events.get(4));
    channel.awaitInterrupt();
    channel.put(Descriptor.nop().interrupt());
    channel.put(Descriptor.nop().interrupt());
    channel.run(Descriptor.nop().interrupt());
    // Each of the three interrupts.
    while (client.readLong(Wire.REGISTERS, COMPLETED) < 5) {
      channel.awaitInterrupt();
    }
    assertThat(channel.head()).isEqualTo(5);
    Wire.idle(channel);
  }

  @Test
  void theSameOnesAreGivenAgain() throws Exception {
    VfioUserClient client = connect(hbm(DoorbellMode.TRAP).path(), 8);
    HbmChannel channel = Wire.channel(own(new SocketDevice(client)), 0);
    List<FileDescriptor> first = ask(client, Wire.REGISTERS).descriptors();
    // The server has closed what it sent when it answers something else.
    client.readInt(Wire.REGISTERS, Wire.ID);
    long open = OpenFiles.count();
    List<FileDescriptor> second = ask(client, Wire.REGISTERS).descriptors();
    awaitOpen("only the client's own", open + second.size());
    channel.put(Descriptor.nop().interrupt());
    EventDescriptor.signal(first.get(0));
    channel.awaitInterrupt();
    channel.put(Descriptor.nop().interrupt());
    EventDescriptor.signal(second.get(4));
    channel.awaitInterrupt();
    assertThat(channel.head()).isEqualTo(2);
  }

  @Test
  void nothingIsLeftWhenTheClientHasGone() throws Exception {
    Wire wire = hbm(DoorbellMode.TRAP);
    VfioUserClient first = connect(wire.path(), 16);
    first.readInt(Wire.REGISTERS, Wire.ID);
    long open = OpenFiles.count();
    List<FileDescriptor> events = first.regionIoFds(Wire.REGISTERS).descriptors();
    awaitOpen("those of both sides", open + 16 + 16 + 2);
    first.close();
    // Less the two ends of the connection.
    awaitOpen("only the client's events", open + 16 - 2);
    VfioUserClient second = connect(wire.path(), 16);
    HbmChannel channel = Wire.channel(own(new SocketDevice(second)), 0);
    channel.put(Descriptor.nop().interrupt());
    events.forEach(IoEventFdTest::signal);
    assertThat(channel.head()).as("the last client's ring nothing").isZero();
    Wire.idle(channel);
    EventDescriptor.signal(ask(second, Wire.REGISTERS).descriptors().get(0));
    channel.awaitInterrupt();
    events.forEach(FileDescriptor::close);
  }

  private static void signal(FileDescriptor event) {
    try {
      EventDescriptor.signal(event);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  // A device that remembers every write.

  private final PinEndpoint endpoint = new PinEndpoint();

  private VfioUserClient connectTo(Endpoint served) throws IOException {
    Path path = directory.resolve("pin.sock");
    own(Serving.start("pin", served, path));
    return connect(path, 8);
  }

  private static Bar.IoEventFd bell(int index) {
    return PinEndpoint.BELLS.get(index);
  }

  private void awaitWritten(int count) throws Exception {
    Wire.await("writes", () -> endpoint.written().size() >= count);
  }

  @Test
  void everyWidthAndValueArrivesAsAWrite() throws Exception {
    VfioUserClient client = connectTo(endpoint);
    WithDescriptors<DeviceGetRegionIoFds.Reply> answer = ask(client, PinEndpoint.BAR);
    assertThat(answer.value().subRegions())
        .containsExactly(
            new IoEventFd(0x40, 4, 0, IoEventFd.DATAMATCH, 7),
            new IoEventFd(0x40, 4, 1, IoEventFd.DATAMATCH, 8),
            new IoEventFd(0x48, 8, 2, IoEventFd.DATAMATCH, -1),
            new IoEventFd(0x50, 1, 3, IoEventFd.DATAMATCH, 0xff));
    for (int i = 0; i < PinEndpoint.BELLS.size(); i++) {
      EventDescriptor.signal(answer.descriptors().get(i));
      awaitWritten(i + 1);
    }
    assertThat(endpoint.written()).containsExactlyElementsOf(PinEndpoint.BELLS);
  }

  /** Keeps the function's thread in a write of HOLD until the latch is counted down. */
  private CountDownLatch hold(VfioUserClient client) throws Exception {
    CountDownLatch letGo = endpoint.holdNext();
    client.regionWritePosted(PinEndpoint.BAR, PinEndpoint.HOLD, new byte[4]);
    endpoint.awaitHeld();
    return letGo;
  }

  @Test
  void signalsBeforeTheServerLooksAreOneAndKeepTheirOrder() throws Exception {
    VfioUserClient client = connectTo(endpoint);
    List<FileDescriptor> events = ask(client, PinEndpoint.BAR).descriptors();
    CountDownLatch letGo = hold(client);
    for (int index : new int[] {3, 0, 3, 1, 0, 3}) {
      EventDescriptor.signal(events.get(index));
    }
    var written =
        client.submit(
            Command.REGION_WRITE,
            new RegionWrite.Request(
                PinEndpoint.BELL, PinEndpoint.BAR, Unpooled.buffer().writeIntLE(99)));
    letGo.countDown();
    written.get().release();
    assertThat(endpoint.written())
        .containsExactly(
            bell(3), bell(0), bell(1), new Bar.IoEventFd(PinEndpoint.BELL, AccessWidth.DWORD, 99));
  }

  @Test
  void aDoorbellOfBeforeAResetIsNotRungAfterIt() throws Exception {
    VfioUserClient client = connectTo(endpoint);
    List<FileDescriptor> events = ask(client, PinEndpoint.BAR).descriptors();
    CountDownLatch letGo = hold(client);
    client.post(Command.DEVICE_RESET, new DeviceReset.Request());
    EventDescriptor.signal(events.get(0));
    letGo.countDown();
    client.readInt(PinEndpoint.BAR, PinEndpoint.PIN);
    // The kernel says whether it was rung before the reset, or not at all.
    assertThat(List.copyOf(endpoint.written()).getLast()).isEqualTo(PinEndpoint.RESET);
    EventDescriptor.signal(events.get(1));
    Wire.await(
        "what came after the reset",
        () -> List.copyOf(endpoint.written()).getLast().equals(bell(1)));
  }

  @Test
  void eventsThatTheClientMadeWaitDoNotStallTheFunction() throws Exception {
    VfioUserClient client = connectTo(endpoint);
    List<FileDescriptor> events = ask(client, PinEndpoint.BAR).descriptors();
    events.forEach(OpenFiles::makeBlocking);
    for (int i = 0; i < 2000; i++) {
      // Taken back at once, often between the server's look at it and its read.
      EventDescriptor.signal(events.get(i % 4));
      EventDescriptor.read(events.get(i % 4));
    }
    client.readInt(PinEndpoint.BAR, PinEndpoint.PIN);
    endpoint.written().clear();
    EventDescriptor.signal(events.get(2));
    awaitWritten(1);
    assertThat(endpoint.written()).containsExactly(bell(2));
  }
}
