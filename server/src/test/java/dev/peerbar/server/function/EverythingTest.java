package dev.peerbar.server.function;

import static dev.peerbar.server.fixture.EverythingEndpoint.CHANERRMSK_INT;
import static dev.peerbar.server.fixture.EverythingEndpoint.CHANERR_INT;
import static dev.peerbar.server.fixture.EverythingEndpoint.DMA_ERROR;
import static dev.peerbar.server.fixture.EverythingEndpoint.MSIX_VECTORS;
import static dev.peerbar.server.fixture.EverythingEndpoint.MSI_VECTORS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.Mapping;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.pci.ConfigLayout.Msi;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.RegionCapability.SparseMmap;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import dev.peerbar.server.fixture.EverythingEndpoint;
import dev.peerbar.server.fixture.EverythingEndpoint.Register;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.StateStream;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** All that an endpoint can declare and is given, as a client has it. */
@Timeout(60)
final class EverythingTest {
  private static final int BAR = 0;
  private static final int NEVER = -1;
  private static final int PIECE = 4096;

  @TempDir private Path directory;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final CountDownLatch leave = new CountDownLatch(1);
  private VfioUserClient client;

  @BeforeEach
  void start() throws Exception {
    client = serve("everything", new EverythingEndpoint(leave));
  }

  @AfterEach
  void stop() throws Exception {
    leave.countDown();
    for (AutoCloseable resource : owned.reversed()) {
      resource.close();
    }
  }

  private VfioUserClient serve(String name, EverythingEndpoint endpoint) throws IOException {
    Path path = directory.resolve(name);
    own(Serving.start(name, endpoint, path));
    VfioUserClient connected = own(VfioUserClient.connect(path));
    connected.setTimeout(Wire.LIMIT);
    connected.negotiate(Wire.capabilities());
    return connected;
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  private FileDescriptor event() throws IOException {
    return own(EventDescriptor.create());
  }

  private FileDescriptor[] events(int count) throws IOException {
    FileDescriptor[] events = new FileDescriptor[count];
    for (int i = 0; i < count; i++) {
      events[i] = event();
    }
    return events;
  }

  private int read(Register register) throws IOException {
    return client.readInt(BAR, register.offset());
  }

  private void write(Register register, int value) throws IOException {
    client.writeInt(BAR, register.offset(), value);
  }

  private int config(int offset) throws IOException {
    return client.readInt(Wire.CONFIG, offset);
  }

  private void config(int offset, int value) throws IOException {
    client.writeInt(Wire.CONFIG, offset, value);
  }

  private void configWord(int offset, int value) throws IOException {
    client.regionWrite(Wire.CONFIG, offset, Unpooled.buffer(2).writeShortLE(value).array());
  }

  private int capability(int id) throws IOException {
    int at = client.regionRead(Wire.CONFIG, Header.CAPABILITIES_POINTER, 1)[0] & 0xff;
    while (client.regionRead(Wire.CONFIG, at, 1)[0] != id) {
      at = client.regionRead(Wire.CONFIG, at + 1, 1)[0] & 0xff;
    }
    return at;
  }

  private static long signals(FileDescriptor event) throws IOException {
    return EventDescriptor.read(event);
  }

  private static void awaitSignal(FileDescriptor event) throws IOException {
    assertThat(EventDescriptor.await(event, Wire.LIMIT)).isPositive();
  }

  private void functionLevelReset() throws IOException {
    int control = capability(ConfigLayout.Express.ID) + ConfigLayout.Express.DEVICE_CONTROL;
    configWord(control, ConfigLayout.Express.INITIATE_FUNCTION_LEVEL_RESET);
  }

  @Nested
  final class ConfigSpace {

    @Test
    void registersOutsideOfCapabilitiesAreWhereTheyWereDeclared() throws Exception {
      write(Register.CHANERR, 0x1_0003);
      assertThat(config(CHANERR_INT)).isEqualTo(0x1_0003);
      config(CHANERR_INT, 0x1_0001);
      assertThat(config(CHANERR_INT)).isEqualTo(2);
      config(CHANERRMSK_INT, 0xabc);
      assertThat(config(CHANERRMSK_INT)).isEqualTo(0xabc);
      assertThat(read(Register.CHANERR)).as("the endpoint was told").isEqualTo(0xabc);
      assertThat(config(0x100)).as("the serial number comes behind them").isEqualTo(0x14c2_0001);
      assertThat(config(DMA_ERROR)).isZero();
    }

    @Test
    void vendorCapabilitiesAnswer() throws Exception {
      int at = capability(0x09);
      assertThat(config(at) >>> 16).as("length and type").isEqualTo(0x0514);
      assertThat(config(at + 16)).isEqualTo(EverythingEndpoint.DATA_VALUE);
      config(at + 16, 0x1234_5678);
      assertThat(client.readInt(4, 0)).as("what the endpoint did").isEqualTo(0x1234_5678);
      client.regionWrite(Wire.CONFIG, at + 17, new byte[] {0x55});
      assertThat(client.readInt(4, 0)).isEqualTo(0x5500);
      config(at + 8, 77);
      assertThat(config(at + 8)).isEqualTo(77);
      assertThat(config(0x400)).isEqualTo(0x0001_000b);
      assertThat(config(0x404)).isEqualTo(0x0102_beef);
      byte[] all = client.regionRead(Wire.CONFIG, 0, 4096);
      assertThat(all[at + 16]).as("of all in one read").isEqualTo((byte) 0x7a);
    }

    @Test
    void resetsKeepWhatWasDeclaredSo() throws Exception {
      config(CHANERRMSK_INT, 0x1234);
      write(Register.CHANERR, 5);
      functionLevelReset();
      assertThat(config(CHANERRMSK_INT)).isEqualTo(0x34);
      assertThat(config(CHANERR_INT)).isZero();
      client.reset();
      assertThat(config(CHANERRMSK_INT)).isZero();
    }

    @Test
    void aWriteAtWhichTheEndpointFailsEndsTheConnection() {
      assertThatThrownBy(() -> config(CHANERRMSK_INT, 0xbad)).isInstanceOf(IOException.class);
      assertThat(client.awaitEnd(Wire.LIMIT)).isTrue();
    }
  }

  @Nested
  final class Bars {

    @Test
    void haveTheirSizesAndTypes() throws Exception {
      long[] sizes = {0x8000, 0, EverythingEndpoint.MEMORY, 0, EverythingEndpoint.SMALL_MEMORY, 0};
      int[] registers = {0x4, 0, 0xc, 0, 0xc, 0};
      for (int bar = 0; bar < sizes.length; bar++) {
        try (WithDescriptors<DeviceGetRegionInfo.Reply> info = client.regionInfo(bar)) {
          assertThat(info.value().size()).as("BAR %d", bar).isEqualTo(sizes[bar]);
        }
        assertThat(config(0x10 + 4 * bar)).as("BAR %d", bar).isEqualTo(registers[bar]);
      }
      client.writeLong(Wire.CONFIG, 0x10, -1);
      assertThat(client.readLong(Wire.CONFIG, 0x10)).isEqualTo(-0x8000L | 0x4);
    }

    @Test
    void severalAreMemory() throws Exception {
      client.writeLong(2, EverythingEndpoint.MEMORY - 8, 1);
      client.writeLong(4, EverythingEndpoint.SMALL_MEMORY - 8, 2);
      assertThat(client.readLong(2, EverythingEndpoint.MEMORY - 8)).isOne();
      assertThat(client.readLong(4, EverythingEndpoint.SMALL_MEMORY - 8)).isEqualTo(2);
    }

    @Test
    void theMsixStructuresAreAmongRegisters() throws Exception {
      long entry = EverythingEndpoint.TABLE + (MSIX_VECTORS - 1) * 16L;
      client.writeLong(BAR, entry, 0xfee0_1003L);
      assertThat(client.readLong(BAR, entry)).as("the host's").isEqualTo(0xfee0_1000L);
      assertThat(client.readInt(BAR, entry + 12)).as("masked").isOne();
      assertThat(client.readInt(BAR, entry + 16)).as("the endpoint's").isEqualTo((int) entry + 16);
      byte[] across = client.regionRead(BAR, entry + 8, 16);
      assertThat(across).startsWith(0, 0, 0, 0, 1, 0, 0, 0);
      assertThat(across[8]).as("an access across the end").isEqualTo((byte) (entry + 16));
      client.regionWrite(BAR, EverythingEndpoint.TABLE - 4, new byte[16]);
      assertThat(client.readInt(BAR, EverythingEndpoint.PENDING)).isZero();
      client.reset();
      assertThat(client.readLong(BAR, entry)).isZero();
    }

    @Test
    void aDoorbellIsRungByAnEventAndOthersByStores() throws Exception {
      WithDescriptors<DeviceGetRegionIoFds.Reply> offered = own(client.regionIoFds(BAR));
      assertThat(offered.value().subRegions())
          .containsExactly(
              new DeviceGetRegionIoFds.IoEventFd(
                  Register.BELL.offset(),
                  AccessWidth.DWORD.bytes(),
                  0,
                  DeviceGetRegionIoFds.IoEventFd.DATAMATCH,
                  1));
      EventDescriptor.signal(offered.descriptors().getFirst());
      assertThat(read(Register.RUNG)).isOne();

      WithDescriptors<DeviceGetRegionInfo.Reply> info = own(client.regionInfo(BAR));
      assertThat(info.value().capabilities())
          .containsExactly(
              new SparseMmap(List.of(new SparseMmap.Area(EverythingEndpoint.MAPPED, 0x1000))));
      Mapping mapping =
          own(
              SharedMemory.map(
                  info.descriptors().getFirst(), 0, 0x8000, SharedMemory.Access.READ_WRITE));
      mapping.segment().set(GuestMemory.INT, EverythingEndpoint.MAPPED + 4, 4711);
      Wire.await("a store rings", () -> read(Register.RUNG) == 4711);
      EventDescriptor.signal(offered.descriptors().getFirst());
      assertThat(read(Register.RUNG)).isOne();
    }
  }

  @Nested
  final class MessageSignalled {
    private int control;

    @BeforeEach
    void find() throws Exception {
      control = capability(Msi.ID) + Msi.MESSAGE_CONTROL;
      configWord(Header.COMMAND, Header.COMMAND_BUS_MASTER);
    }

    private void enable(int log2) throws IOException {
      configWord(control, Msi.ENABLE | log2 << Msi.MULTIPLE_MESSAGE_ENABLE_SHIFT);
    }

    private void mask(int mask) throws IOException {
      config(control - Msi.MESSAGE_CONTROL + Msi.MASK_BITS, mask);
    }

    private int pending() throws IOException {
      return config(control - Msi.MESSAGE_CONTROL + Msi.PENDING_BITS);
    }

    private void refused(int flags, int index, int count, FileDescriptor... files) {
      assertThatThrownBy(() -> client.setIrqs(flags, index, 0, count, new byte[0], files))
          .isInstanceOfSatisfying(
              RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    }

    @Test
    void isToldOf() throws Exception {
      DeviceGetIrqInfo.Reply info = client.irqInfo(PciIrq.MSI);
      assertThat(info.count()).isEqualTo(MSI_VECTORS);
      assertThat(info.flags()).isEqualTo(DeviceGetIrqInfo.EVENTFD | DeviceGetIrqInfo.NORESIZE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"RAISE", "ENGINE_RAISE"})
    void goesWhereItIsEnabled(Register how) throws Exception {
      FileDescriptor[] msi = events(MSI_VECTORS);
      enable(2);
      client.setIrqEvents(PciIrq.MSI, 0, msi);
      write(how, 3);
      awaitSignal(msi[3]);
      write(how, 7);
      awaitSignal(msi[3]);

      client.disableIrqs(PciIrq.MSI);
      configWord(control, 0);
      FileDescriptor[] msix = events(MSIX_VECTORS);
      configWord(capability(Msix.ID) + Msix.MESSAGE_CONTROL, Msix.ENABLE);
      client.setIrqEvents(PciIrq.MSIX, 0, msix);
      write(how, 7);
      awaitSignal(msix[7]);
      for (FileDescriptor event : msi) {
        assertThat(signals(event)).isZero();
      }
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "1, 1", "2, 3", "3, 3"})
    void vectorsShareWhatTheDriverAllocates(int log2, int message) throws Exception {
      FileDescriptor[] msi = events(MSI_VECTORS);
      enable(log2);
      client.setIrqEvents(PciIrq.MSI, 0, msi);
      write(Register.RAISE, 7);
      for (int i = 0; i < MSI_VECTORS; i++) {
        assertThat(signals(msi[i])).as("message %d", i).isEqualTo(i == message ? 1 : 0);
      }
    }

    @ParameterizedTest
    @ValueSource(strings = {"RAISE", "ENGINE_RAISE"})
    void masksInConfigSpaceHoldBack(Register how) throws Exception {
      FileDescriptor[] msi = events(MSI_VECTORS);
      enable(2);
      client.setIrqEvents(PciIrq.MSI, 0, msi);
      mask(1 << 1);
      write(how, 1);
      Wire.await("it is pending", () -> pending() == 1 << 1);
      write(how, 2);
      awaitSignal(msi[2]);
      assertThat(signals(msi[1])).isZero();
      mask(0);
      assertThat(signals(msi[1])).as("once it is unmasked").isOne();
      assertThat(pending()).isZero();
    }

    @Test
    void waitsForDescriptorsBusMasterAndEnable() throws Exception {
      write(Register.RAISE, 0);
      assertThat(pending()).as("not enabled: forgotten").isZero();
      enable(0);
      write(Register.RAISE, 0);
      assertThat(pending()).isOne();
      FileDescriptor event = event();
      client.setIrqEvents(PciIrq.MSI, 0, event);
      assertThat(signals(event)).as("what was pending").isOne();
      configWord(Header.COMMAND, 0);
      write(Register.ENGINE_RAISE, 0);
      Wire.await("it is pending", () -> pending() == 1);
      configWord(Header.COMMAND, Header.COMMAND_BUS_MASTER);
      assertThat(signals(event)).isOne();
    }

    @Test
    void aResetForgetsWhatIsPending() throws Exception {
      enable(0);
      write(Register.RAISE, 0);
      functionLevelReset();
      assertThat(pending()).isZero();
      FileDescriptor event = event();
      client.setIrqEvents(PciIrq.MSI, 0, event);
      configWord(Header.COMMAND, Header.COMMAND_BUS_MASTER);
      enable(0);
      assertThat(signals(event)).isZero();
    }

    @Test
    void oneIsInUseAtATime() throws Exception {
      int eventfd = DeviceSetIrqs.DATA_EVENTFD | DeviceSetIrqs.ACTION_TRIGGER;
      client.setIrqEvents(PciIrq.MSI, 0, event());
      refused(eventfd, PciIrq.MSIX, 1, event());
      refused(eventfd, PciIrq.INTX, 1, event());
      refused(eventfd, PciIrq.MSI, MSI_VECTORS + 1, events(MSI_VECTORS + 1));
      client.disableIrqs(PciIrq.MSI);
      client.setIrqEvents(PciIrq.INTX, 0, event());
      refused(eventfd, PciIrq.MSI, 1, event());
    }

    /** As QEMU does, which sends so many descriptors in a message. */
    @Test
    void isSetUpInPieces() throws Exception {
      FileDescriptor[] msi = events(MSI_VECTORS);
      enable(2);
      for (int i = 0; i < MSI_VECTORS; i++) {
        client.setIrqEvents(PciIrq.MSI, i, msi[i]);
      }
      for (int i = 0; i < MSI_VECTORS; i++) {
        write(Register.RAISE, i);
        assertThat(signals(msi[i])).isOne();
      }
    }

    @Test
    void theMaskIsNotTheClientsToAskFor() {
      assertThatThrownBy(() ->
              client.setIrqs(
                  DeviceSetIrqs.DATA_NONE | DeviceSetIrqs.ACTION_MASK,
                  PciIrq.MSI,
                  0,
                  1,
                  new byte[0]))
          .isInstanceOfSatisfying(
              RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOTTY));
    }

    @Test
    void thePinIsSilentWhileItIsEnabled() throws Exception {
      FileDescriptor pin = event();
      client.setIrqEvents(PciIrq.INTX, 0, pin);
      enable(0);
      write(Register.PIN, 1);
      assertThat(signals(pin)).isZero();
      configWord(control, 0);
      assertThat(signals(pin)).isOne();
    }
  }

  @Nested
  final class Words {

    @ParameterizedTest
    @CsvSource({"1, 3", "2, 4"})
    void goToTheClientIfItWantsThem(int word, int index) throws Exception {
      write(Register.TELL, word);
      assertThat(read(Register.TELL)).as("nobody to tell").isZero();
      FileDescriptor event = event();
      client.setIrqEvents(index, 0, event);
      assertThat(signals(event)).as("it is not remembered").isZero();
      write(Register.TELL, word);
      assertThat(read(Register.TELL)).isOne();
      assertThat(signals(event)).isOne();
      client.disableIrqs(index);
      write(Register.TELL, word);
      assertThat(read(Register.TELL)).isZero();
    }
  }

  @Nested
  final class Time {

    @Test
    void comesOnce() throws Exception {
      configWord(Header.COMMAND, Header.COMMAND_BUS_MASTER);
      configWord(capability(Msix.ID) + Msix.MESSAGE_CONTROL, Msix.ENABLE);
      FileDescriptor[] msix = events(2);
      client.setIrqEvents(PciIrq.MSIX, 0, msix);
      for (int time = 1; time <= 3; time++) {
        write(Register.TIMER, 1);
        awaitSignal(msix[1]);
        assertThat(read(Register.TIMER)).isEqualTo(time);
      }
    }

    @Test
    void isArmedAnewAndCancelled() throws Exception {
      write(Register.TIMER, 3_600_000);
      write(Register.TIMER, 0);
      Wire.await("the new time comes", () -> read(Register.TIMER) == 1);
      write(Register.TIMER, 20);
      write(Register.TIMER, NEVER);
      int before = read(Register.TIMER);
      passBy();
      assertThat(read(Register.TIMER)).isEqualTo(before);
    }

    @Test
    void endsWithAReset() throws Exception {
      write(Register.TIMER, 20);
      client.reset();
      passBy();
      assertThat(read(Register.TIMER)).isZero();
    }

    @Test
    void endsWithAPause() throws Exception {
      write(Register.TIMER, 20);
      client.migrateTo(MigrationState.State.STOP);
      client.migrateTo(MigrationState.State.RUNNING);
      int before = read(Register.TIMER);
      passBy();
      assertThat(read(Register.TIMER)).isEqualTo(before);
    }

    /** Until what was armed for 20 ms before has had its time: a later timer comes later. */
    private void passBy() throws Exception {
      write(Register.LATER, 30);
      Wire.await("a later time comes", () -> read(Register.LATER) == 1);
    }

    @Test
    void whatItsActionThrowsIsToldToTheEndpoint() throws Exception {
      write(Register.THROW, 1);
      write(Register.TIMER, 0);
      Wire.await("it is told", () -> read(Register.THROW) == 1);
      write(Register.TIMER, 0);
      Wire.await("the next one is as ever", () -> read(Register.TIMER) == 1);
    }
  }

  @Nested
  final class Work {

    @Test
    void thatIsAskedForAThousandTimesRunsTwice() throws Exception {
      for (int i = 0; i < 1000; i++) {
        write(Register.REPEAT, 1);
      }
      leave.countDown();
      Wire.await("it has run", () -> read(Register.REPEAT) >= 1);
      write(Register.REPEAT, 1);
      Wire.await("it has run again", () -> read(Register.REPEAT) >= 2);
      assertThat(read(Register.REPEAT)).isBetween(2, 3);
    }

    @Test
    void thatThrowsInAnUpdateIsTold() throws Exception {
      leave.countDown();
      write(Register.THROW, 1);
      write(Register.REPEAT, 1);
      Wire.await("it is told", () -> read(Register.THROW) == 1);
    }

    @Test
    void thatIsAskedForRunsAfterAReset() throws Exception {
      write(Register.REPEAT, 1);
      write(Register.REPEAT, 1);
      client.reset();
      leave.countDown();
      write(Register.REPEAT, 1);
      Wire.await("it has run", () -> read(Register.REPEAT) >= 1);
    }
  }

  @Nested
  final class Migrations {

    @Test
    void takeAllOfItAlong() throws Exception {
      int msi = capability(Msi.ID);
      configWord(Header.COMMAND, Header.COMMAND_BUS_MASTER);
      configWord(msi + Msi.MESSAGE_CONTROL, Msi.ENABLE | 2 << Msi.MULTIPLE_MESSAGE_ENABLE_SHIFT);
      config(msi + Msi.MASK_BITS, 1 << 2);
      write(Register.RAISE, 2);
      config(CHANERRMSK_INT, 0x77);
      write(Register.CHANERR, 0x9);
      config(capability(0x09) + 8, 42);
      client.writeLong(2, 8, 0x22);
      client.writeLong(4, 8, 0x44);
      client.writeLong(BAR, EverythingEndpoint.TABLE, 0xfee0_0000L);
      client.writeInt(BAR, EverythingEndpoint.MAPPED + 8, 99);
      client.migrateTo(MigrationState.State.STOP_COPY);
      byte[] stream = StateStream.read(client, PIECE);

      VfioUserClient source = client;
      client = serve("target", new EverythingEndpoint());
      FileDescriptor[] events = events(MSI_VECTORS);
      client.migrateTo(MigrationState.State.RESUMING);
      StateStream.write(client, stream, 1000);
      client.migrateTo(MigrationState.State.RUNNING);
      assertThat(client.regionRead(Wire.CONFIG, 0, 4096))
          .isEqualTo(source.regionRead(Wire.CONFIG, 0, 4096));
      assertThat(config(CHANERRMSK_INT)).isEqualTo(0x77);
      assertThat(config(CHANERR_INT)).isEqualTo(0x9);
      assertThat(config(capability(0x09) + 8)).isEqualTo(42);
      assertThat(read(Register.CHANERR)).isEqualTo(0x77);
      assertThat(client.readLong(2, 8)).isEqualTo(0x22);
      assertThat(client.readLong(4, 8)).isEqualTo(0x44);
      assertThat(client.readLong(BAR, EverythingEndpoint.TABLE)).isEqualTo(0xfee0_0000L);
      assertThat(client.readInt(BAR, EverythingEndpoint.MAPPED + 8)).isEqualTo(99);
      client.setIrqEvents(PciIrq.MSI, 0, events);
      config(msi + Msi.MASK_BITS, 0);
      assertThat(signals(events[2])).as("what was pending there").isOne();
    }

    @Test
    void areNotTakenOnByWhatWasDeclaredOtherwise() throws Exception {
      client.migrateTo(MigrationState.State.STOP_COPY);
      byte[] stream = StateStream.read(client, PIECE);
      assertThat(Arrays.copyOfRange(stream, 36, 40)).isNotEqualTo(new byte[4]);
      stream[36] ^= 1;
      client = serve("target", new EverythingEndpoint());
      client.migrateTo(MigrationState.State.RESUMING);
      assertThatThrownBy(() -> StateStream.write(client, stream, PIECE))
          .isInstanceOfSatisfying(
              RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    }
  }
}
