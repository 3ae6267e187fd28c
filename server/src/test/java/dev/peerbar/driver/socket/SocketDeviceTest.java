package dev.peerbar.driver.socket;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.ErrorCode;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.DmaRange;
import dev.peerbar.driver.Interrupt;
import dev.peerbar.driver.Memory;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.driver.hbm.HbmDriver;
import dev.peerbar.driver.socket.SocketDevice.Access;
import dev.peerbar.driver.socket.SocketDevice.Reach;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.pci.ConfigLayout.Msix;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a driver has of a function over a real socket, with an HBM endpoint behind it. */
@Timeout(60)
final class SocketDeviceTest {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final long BAR_SIZE = 1 << 20;
  private static final int ENTRIES = 8;

  /** Reserved bytes of the doorbells' page, which are memory if it is shared. */
  private static final long SPARE = HbmRegisters.DOORBELLS + 0xff8;

  @TempDir private Path directory;
  private final List<AutoCloseable> owned = new ArrayList<>();

  @AfterEach
  void stop() throws Exception {
    for (AutoCloseable resource : owned.reversed()) {
      resource.close();
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  private Path serve(String name, DoorbellMode doorbells) throws IOException {
    Path path = directory.resolve(name);
    own(Serving.start(name, new HbmEndpoint(new HbmConfig(BAR_SIZE, 2, doorbells, false)), path));
    return path;
  }

  private SocketDevice connected(DoorbellMode doorbells) throws IOException {
    return own(SocketDevice.connect(serve("hbm", doorbells)));
  }

  private SocketDevice connected(Reach reach) throws IOException {
    return own(new SocketDevice(client(serve("hbm", DoorbellMode.TRAP)), reach));
  }

  private static VfioUserClient client(Path path) throws IOException {
    VfioUserClient client = VfioUserClient.connect(path);
    client.negotiate(Capabilities.DEFAULTS);
    return client;
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private static HbmChannel channel(SocketDevice device) throws IOException {
    return HbmDriver.of(device).channel(0, ENTRIES).enable();
  }

  private static void run(HbmChannel channel, Descriptor descriptor) throws IOException {
    channel.put(descriptor.interrupt()).ring();
    assertThat(channel.awaitInterrupt(LIMIT)).as("an interrupt").isTrue();
  }

  // BARs.

  @Test
  void registersAreToldAndMemoryIsMapped() throws Exception {
    SocketDevice device = connected(DoorbellMode.MAP);
    long before = OpenFiles.mappings("hbm-bar");
    Memory registers = device.bar(HbmRegisters.BAR);
    assertThat(registers.length()).isEqualTo(HbmRegisters.BAR_SIZE);
    assertThat(OpenFiles.mappings("hbm-bar")).as("though some of it is shared").isEqualTo(before);
    assertThat(registers.loadInt(HbmRegisters.ID)).isEqualTo((int) HbmRegisters.ID_VALUE);
    Memory memory = device.bar(HbmRegisters.MEMORY_BAR);
    assertThat(OpenFiles.mappings("hbm-bar")).isEqualTo(before + 1);
    assertThat(memory.length()).isEqualTo(BAR_SIZE);
    assertThat(device.bar(HbmRegisters.BAR)).isSameAs(registers);
    assertThat(device.bar(HbmRegisters.MEMORY_BAR)).isSameAs(memory);
  }

  @ParameterizedTest
  @EnumSource
  void everyWidthIsLittleEndian(Access access) throws Exception {
    SocketDevice device = connected(DoorbellMode.TRAP);
    Memory memory = device.bar(HbmRegisters.MEMORY_BAR, access);
    memory.storeLong(8, 0x8877_6655_4433_2211L);
    assertThat(memory.read(8, 8))
        .isEqualTo(new byte[] {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, (byte) 0x88});
    assertThat(memory.load(15, AccessWidth.BYTE)).isEqualTo(0x88);
    assertThat(memory.load(14, AccessWidth.WORD)).isEqualTo(0x8877);
    assertThat(memory.load(12, AccessWidth.DWORD)).isEqualTo(0x8877_6655L);
    memory.store(9, AccessWidth.BYTE, 0x1234_56ff);
    memory.store(10, AccessWidth.WORD, 0x1234_0000);
    assertThat(memory.loadLong(8)).isEqualTo(0x8877_6655_0000_ff11L);
  }

  @ParameterizedTest
  @EnumSource
  void allOfTheMemoryIsReadAndWrittenByAnyWay(Access access) throws Exception {
    SocketDevice device = connected(DoorbellMode.TRAP);
    Memory memory = device.bar(HbmRegisters.MEMORY_BAR, access);
    byte[] bytes = random((int) BAR_SIZE - 3);
    memory.write(3, bytes);
    for (Access other : Access.values()) {
      assertThat(device.bar(HbmRegisters.MEMORY_BAR, other).read(3, bytes.length)).isEqualTo(bytes);
    }
    memory.fill(1, BAR_SIZE - 2, (byte) 0x5a);
    byte[] filled = memory.read(0, (int) BAR_SIZE);
    assertThat(filled[0]).isZero();
    assertThat(filled[1]).isEqualTo((byte) 0x5a);
    assertThat(filled[filled.length - 2]).isEqualTo((byte) 0x5a);
    assertThat(filled[filled.length - 1]).isEqualTo(bytes[bytes.length - 1]);
    for (long past : new long[] {BAR_SIZE - 1, -1}) {
      assertThatThrownBy(() -> memory.read(past, 2)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> memory.write(past, new byte[2]))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> memory.fill(past, 2, (byte) 0))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void whatIsSharedInPartsIsOneRegion() throws Exception {
    SocketDevice device = connected(DoorbellMode.MAP);
    long before = OpenFiles.mappings("hbm-bar");
    Memory shared = device.bar(HbmRegisters.BAR, Access.SHARED);
    Memory told = device.bar(HbmRegisters.BAR);
    assertThat(OpenFiles.mappings("hbm-bar")).isEqualTo(before + 1);
    assertThat(shared.loadInt(HbmRegisters.ID)).isEqualTo((int) HbmRegisters.ID_VALUE);
    shared.storeInt(HbmRegisters.SCRATCH, 77);
    assertThat(told.loadInt(HbmRegisters.SCRATCH)).isEqualTo(77);
    shared.storeLong(SPARE, 0x1234_5678);
    assertThat(told.loadInt(SPARE)).isEqualTo(0x1234_5678);
    // Across its beginning and its end.
    int start = (int) HbmRegisters.DOORBELLS - 16;
    int length = (int) HbmRegisters.DOORBELLS_LENGTH + 32;
    assertThat(shared.read(start, length)).isEqualTo(told.read(start, length));
    shared.write(SPARE + 4, new byte[] {1, 2, 3, 4, 0, 0, 0, 0});
    assertThat(told.loadInt(SPARE + 4)).isEqualTo(0x0403_0201);
    shared.fill(SPARE, 16, (byte) 0);
    assertThat(told.loadLong(SPARE)).isZero();
  }

  @Test
  void whatIsPostedIsDoneBeforeWhatIsAskedNext() throws Exception {
    SocketDevice device = connected(DoorbellMode.TRAP);
    Memory posted = device.bar(HbmRegisters.BAR, Access.POSTED);
    for (int i = 0; i < 1000; i++) {
      posted.storeInt(HbmRegisters.SCRATCH, i);
    }
    assertThat(device.bar(HbmRegisters.BAR).loadInt(HbmRegisters.SCRATCH)).isEqualTo(999);
    assertThat(posted.loadInt(HbmRegisters.SCRATCH)).isEqualTo(999);
  }

  @Test
  void aClientThatTakesNoDescriptorsIsToldOfItsMemory() throws Exception {
    VfioUserClient client = VfioUserClient.connect(serve("hbm", DoorbellMode.TRAP));
    Capabilities all = Capabilities.DEFAULTS;
    client.negotiate(
        new Capabilities(
            0,
            all.maxDataXferSize(),
            all.maxDmaMaps(),
            all.pgsizes(),
            all.twinSocket(),
            all.writeMultiple(),
            all.migration()));
    SocketDevice device = own(new SocketDevice(client));
    device.bar(HbmRegisters.MEMORY_BAR).storeInt(0, 5);
    assertThat(device.bar(HbmRegisters.MEMORY_BAR, Access.SHARED).loadInt(0)).isEqualTo(5);
  }

  // Memory.

  @ParameterizedTest
  @EnumSource
  void theFunctionReachesMemoryUntilItIsUnmapped(Reach reach) throws Exception {
    SocketDevice device = connected(reach);
    HbmChannel channel = channel(device);
    DmaRange memory = device.allocate(5000);
    assertThat(memory.length()).as("whole pages").isEqualTo(8192);
    assertThat(memory.read(0, 8192)).containsOnly(0);
    byte[] bytes = random(8192);
    memory.write(0, bytes);
    run(channel, Descriptor.copy(8192).from(memory.iova()).toLocal(0));
    assertThat(device.bar(HbmRegisters.MEMORY_BAR).read(0, 8192)).isEqualTo(bytes);
    run(channel, Descriptor.fill(-1, 8).to(memory.iova()));
    assertThat(memory.loadLong(0)).isEqualTo(-1);

    device.unmap(memory);
    run(channel, Descriptor.fill(0, 8).to(memory.iova()));
    assertThat(channel.error()).isEqualTo(ErrorCode.WRITE_FAULT.code());
    assertThat(memory.loadLong(0)).as("the driver has it still").isEqualTo(-1);

    device.mapAgain(memory);
    channel.restart();
    run(channel, Descriptor.fill(0, 8).to(memory.iova()));
    assertThat(channel.error()).isZero();
    assertThat(memory.loadLong(0)).isZero();
  }

  @Test
  void memoryIsWhereTheCallerSays() throws Exception {
    SocketDevice device = connected(DoorbellMode.TRAP);
    DmaRange memory = device.allocate(0x7000_0000, 4096);
    assertThat(memory.iova()).isEqualTo(0x7000_0000);
    run(channel(device), Descriptor.fill(3, 4096).to(0x7000_0000));
    assertThat(memory.read(4095 - 7, 8)).isEqualTo(new byte[] {3, 0, 0, 0, 0, 0, 0, 0});
  }

  @ParameterizedTest
  @EnumSource
  void memoryThatTheServerRefusesLeavesNothing(Reach reach) throws Exception {
    SocketDevice device = connected(reach);
    DmaRange first = device.allocate(0x7000_0000, 4096);
    long open = OpenFiles.count();
    long mappings = OpenFiles.mappings("peerbar-driver");
    assertThatThrownBy(() -> device.allocate(0x6fff_f000, 8192))
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EEXIST));
    assertThat(OpenFiles.count()).isEqualTo(open);
    assertThat(OpenFiles.mappings("peerbar-driver")).isEqualTo(mappings);
    run(channel(device), Descriptor.fill(7, 8).to(first.iova()));
    assertThat(first.loadLong(0)).isEqualTo(7);
  }

  @Test
  void onlyAllOfWhatIsMappedIsUnmapped() throws Exception {
    SocketDevice device = connected(DoorbellMode.TRAP);
    DmaRange memory = device.allocate(8192);
    DmaRange part = memory.slice(0, 4096);
    assertThatThrownBy(() -> device.unmap(part)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> device.mapAgain(part)).isInstanceOf(IllegalArgumentException.class);
    device.unmap(memory);
    assertThatThrownBy(() -> device.unmap(memory)).isInstanceOf(IllegalArgumentException.class);
  }

  // Interrupts and resets.

  @Test
  void everyVectorHasAnEventOfItsOwn() throws Exception {
    SocketDevice device = connected(DoorbellMode.TRAP);
    HbmDriver driver = HbmDriver.of(device);
    HbmChannel second = driver.channel(1, ENTRIES).enable();
    run(second, Descriptor.nop());
    for (Interrupt vector : driver.vectors()) {
      assertThat(vector.drain()).isZero();
    }
    Interrupt vector = driver.vectors().get(2);
    assertThat(vector.await(Duration.ofMillis(1))).as("in time").isZero();
    // An entry interrupts once it is complete: when the third is, both have.
    second.put(Descriptor.nop().interrupt(), Descriptor.nop().interrupt(), Descriptor.nop()).ring();
    second.awaitRest(LIMIT);
    assertThat(vector.drain()).as("several are told as a number").isEqualTo(2);
    assertThatThrownBy(() -> device.enableMsix(4)).isInstanceOf(RemoteErrorException.class);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aResetLeavesWhatAnotherSetUpMakesWorkAgain(boolean wholeDevice) throws Exception {
    SocketDevice device = connected(DoorbellMode.TRAP);
    HbmDriver driver = HbmDriver.of(device);
    HbmChannel channel = driver.channel(0, ENTRIES).enable();
    int resets = driver.read(HbmRegisters.RESET_COUNT);
    if (wholeDevice) {
      device.resetDevice();
    } else {
      device.reset();
    }
    assertThat(driver.config().word(Header.COMMAND)).isZero();
    int control = driver.config().capability(Msix.ID) + Msix.MESSAGE_CONTROL;
    assertThat(driver.config().word(control) & Msix.ENABLE).isZero();
    driver.setUp();
    assertThat(driver.config().word(control) & (Msix.ENABLE | Msix.FUNCTION_MASK))
        .isEqualTo(Msix.ENABLE);
    assertThat(driver.read(HbmRegisters.RESET_COUNT)).isEqualTo(resets + (wholeDevice ? 0 : 1));
    run(channel.enable(), Descriptor.nop());
  }

  // From beginning to end.

  @Test
  void theFunctionMovesAndItsDriverStays() throws Exception {
    Path source = serve("source", DoorbellMode.TRAP);
    Path target = serve("target", DoorbellMode.TRAP);
    try (SocketDevice before = SocketDevice.connect(target)) {
      // What a migration would have brought.
      channel(before);
    }
    VfioUserClient left = own(client(source));
    SocketDevice device = own(new SocketDevice(left));
    HbmDriver driver = HbmDriver.of(device);
    DmaRange memory = device.allocate(4096);
    DmaRange gone = device.allocate(4096);
    HbmChannel channel = driver.channel(0, ENTRIES).enable();
    driver.memory().storeInt(0, 1);
    device.unmap(gone);

    device.moveTo(client(target));
    assertThat(driver.memory().loadInt(0)).as("another BAR").isZero();
    channel.restart();
    run(channel, Descriptor.fill(9, 8).to(memory.iova()));
    assertThat(memory.loadLong(0)).isEqualTo(9);
    run(channel, Descriptor.fill(9, 8).to(gone.iova()));
    assertThat(channel.error()).isEqualTo(ErrorCode.WRITE_FAULT.code());
    assertThat(left.readInt(HbmRegisters.BAR, HbmRegisters.channel(0) + HbmRegisters.HEAD))
        .as("there nothing ran")
        .isZero();
  }

  @ParameterizedTest
  @EnumSource
  void nothingIsLeftAtTheEnd(Reach reach) throws Exception {
    // A name of its own: the memory of endpoints of other tests may go at any time.
    String name = "left-" + reach;
    Path path = serve(name, DoorbellMode.MAP);
    long open = OpenFiles.count();
    long mappings = OpenFiles.mappings("peerbar-driver") + OpenFiles.mappings(name);
    SocketDevice device = new SocketDevice(client(path), reach);
    HbmChannel channel = channel(device);
    DmaRange memory = device.allocate(BAR_SIZE);
    Memory shared = device.bar(HbmRegisters.BAR, Access.SHARED);
    run(channel, Descriptor.copy(BAR_SIZE).from(memory.iova()).toLocal(0));
    device.close();
    Wire.await("all descriptors are closed", () -> OpenFiles.count() <= open);
    assertThat(OpenFiles.mappings("peerbar-driver") + OpenFiles.mappings(name)).isEqualTo(mappings);
    assertThatThrownBy(() -> shared.loadInt(SPARE)).as("no crash").isInstanceOf(IOException.class);
  }

  @Test
  void nobodyToConnectToIsSaid() {
    assertThatThrownBy(() -> SocketDevice.connect(directory.resolve("missing")))
        .isInstanceOfSatisfying(
            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
  }

  @Test
  void aFunctionThatIsTakenLeavesNothing() throws Exception {
    Path path = serve("hbm", DoorbellMode.TRAP);
    own(SocketDevice.connect(path)).bar(HbmRegisters.BAR).loadInt(HbmRegisters.ID);
    long open = OpenFiles.count();
    assertThatThrownBy(() -> SocketDevice.connect(path))
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EBUSY));
    Wire.await("the server's end is closed", () -> OpenFiles.count() == open);
  }
}
