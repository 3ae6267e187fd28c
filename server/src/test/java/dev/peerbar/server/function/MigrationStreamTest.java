package dev.peerbar.server.function;

import static dev.peerbar.protocol.MigrationState.State.ERROR;
import static dev.peerbar.protocol.MigrationState.State.PRE_COPY;
import static dev.peerbar.protocol.MigrationState.State.RESUMING;
import static dev.peerbar.protocol.MigrationState.State.RUNNING;
import static dev.peerbar.protocol.MigrationState.State.STOP;
import static dev.peerbar.protocol.MigrationState.State.STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.driver.Config;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.StateStream;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** States that are damaged, forged or of another device: none of them comes to run. */
class MigrationStreamTest {
  private static final int PIECE = 1 << 16;
  private static final int OLD_SCRATCH = 0x0ddba11;
  private static final int NEW_SCRATCH = 0x5ca1ab1e;

  // Fields of the endpoint's state: globals, then channel 0.
  private static final int FAULT = 8;
  private static final int FAULT_ADDR = 12;
  private static final int CHANNELS = 20;
  private static final int ENABLED = 24;
  private static final int STATE = 28;
  private static final int RING_BASE = 32;
  private static final int RING_SIZE = 40;
  private static final int HEAD = 44;
  private static final int TAIL = 48;
  private static final int ERROR_CODE = 52;

  @TempDir Path directory;
  private Wire wire;
  private VfioUserClient client;

  /** Of a device like this one, with a ring half done, a fault, and two pages of memory. */
  private byte[] stream;

  @BeforeEach
  void serve() throws Exception {
    HbmConfig config = Wire.config(DoorbellMode.MAP);
    try (Wire other = Wire.connected(Files.createDirectory(directory.resolve("source")), config)) {
      HbmChannel channel = other.channel(0);
      HbmChannel faulty = other.channel(1);
      other.client().writeInt(Wire.REGISTERS, Wire.SCRATCH, NEW_SCRATCH);
      faulty.run(Descriptor.copy(64).from(0xdead_0000L).toLocal(0).interrupt());
      channel.run(Descriptor.nop().interrupt());
      other.client().regionWrite(Wire.MEMORY, 0x2000, page(1));
      other.client().regionWrite(Wire.MEMORY, 0x8_0000, page(2));
      other.client().migrateTo(STOP);
      channel.submit(Descriptor.nop().interrupt(), Descriptor.nop().interrupt());
      other.client().migrateTo(STOP_COPY);
      stream = StateStream.read(other.client(), PIECE);
    }
    wire = Wire.connected(Files.createDirectory(directory.resolve("target")), config);
    client = wire.client();
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private static byte[] page(long seed) {
    byte[] page = new byte[4096];
    new Random(seed).nextBytes(page);
    return page;
  }

  /** Writes it all. Returns whether every piece was taken. */
  private boolean taken(byte[] state, int... sizes) throws IOException {
    try {
      StateStream.write(client, state, sizes);
      return true;
    } catch (RemoteErrorException e) {
      assertThat(e.errno()).isEqualTo(Errno.EINVAL);
      return false;
    }
  }

  private boolean stops() throws IOException {
    try {
      client.migrateTo(STOP);
      return true;
    } catch (RemoteErrorException e) {
      assertThat(e.errno()).isEqualTo(Errno.EINVAL);
      return false;
    }
  }

  /** The device refuses the state, now or when it is complete, and recovers by a reset. */
  private void refused(String what, byte[] state, int... sizes) throws IOException {
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, OLD_SCRATCH);
    client.migrateTo(RESUMING);
    taken(state, sizes);
    assertThat(stops()).as(what).isFalse();
    MigrationState.State left = client.migrationState();
    assertThat(left).as(what).isIn(RESUMING, ERROR);
    assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).as(what).isEqualTo(OLD_SCRATCH);
    client.reset();
    assertThat(client.migrationState()).as(what).isEqualTo(RUNNING);
    assertThat(client.readInt(Wire.REGISTERS, Wire.STATUS)).as(what).isEqualTo(1);
    if (left == ERROR) {
      assertThat(client.regionRead(Wire.MEMORY, 0x2000, 4096)).as(what).containsOnly(0);
    }
  }

  @Test
  void theStateAsItIsIsTaken() throws Exception {
    client.migrateTo(RESUMING);
    assertThat(taken(stream, 1)).isTrue();
    assertThat(stops()).isTrue();
    assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(NEW_SCRATCH);
    assertThat(client.regionRead(Wire.MEMORY, 0x2000, 4096)).isEqualTo(page(1));
    assertThat(client.regionRead(Wire.MEMORY, 0x8_0000, 4096)).isEqualTo(page(2));
  }

  @Test
  void everyByteOfTheHeaderCounts() throws Exception {
    client.regionWrite(Wire.MEMORY, 0x2000, page(3));
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, OLD_SCRATCH);
    client.migrateTo(RESUMING);
    for (int at = 0; at < StateStream.HEADER; at++) {
      byte[] damaged = stream.clone();
      damaged[at] ^= (byte) (1 << at % 8);
      assertThat(taken(StateStream.summed(damaged), PIECE)).as("byte %d", at).isFalse();
      assertThat(client.migrationState()).isEqualTo(RESUMING);
    }
    assertThat(client.regionRead(Wire.MEMORY, 0x2000, 4096)).as("memory").isEqualTo(page(3));
    assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(OLD_SCRATCH);
    // Nothing has changed: the right state can still come.
    assertThat(taken(stream, PIECE)).isTrue();
    assertThat(stops()).isTrue();
  }

  @Test
  void aHeaderThatIsReadEarlyIsRefusedEarly() throws Exception {
    Path narrow = Files.createDirectory(directory.resolve("narrow"));
    try (Wire other = Wire.connected(narrow, Wire.config(DoorbellMode.TRAP))) {
      other.client().migrateTo(PRE_COPY);
      byte[] header = StateStream.read(other.client(), PIECE);
      client.migrateTo(RESUMING);
      assertThat(taken(header, PIECE)).isFalse();
    }
  }

  static List<Arguments> otherDevices() {
    return List.of(
        Arguments.of(new HbmConfig(2 << 20, 2, DoorbellMode.MAP, false)),
        Arguments.of(new HbmConfig(1 << 20, 3, DoorbellMode.MAP, false)),
        Arguments.of(new HbmConfig(1 << 20, 2, DoorbellMode.TRAP, false)));
  }

  @ParameterizedTest
  @MethodSource("otherDevices")
  void theStateOfADeviceOfAnotherConfigurationIsRefused(HbmConfig config) throws Exception {
    try (Wire other = Wire.connected(Files.createDirectory(directory.resolve("other")), config)) {
      other.client().migrateTo(STOP_COPY);
      refused("another configuration", StateStream.read(other.client(), PIECE), PIECE);
    }
  }

  @Test
  void damageAnywhereIsFound() throws Exception {
    Random random = new Random(42);
    for (int round = 0; round < 1500; round++) {
      byte[] damaged = stream.clone();
      int at = random.nextInt(stream.length);
      damaged[at] ^= (byte) (1 << random.nextInt(8));
      refused("byte %d of %d".formatted(at, stream.length), damaged, PIECE);
    }
  }

  @Test
  void whatIsCutOffIsIncomplete() throws Exception {
    Random random = new Random(43);
    for (int round = 0; round < 300; round++) {
      int length = round < 10 ? stream.length - 1 - round : random.nextInt(stream.length);
      refused("cut to " + length, Arrays.copyOf(stream, length), PIECE);
    }
  }

  @Test
  void nothingMayFollow() throws Exception {
    byte[] extended = Arrays.copyOf(stream, stream.length + 1);
    refused("one byte more", extended, PIECE);
    refused("one byte more, alone", extended, stream.length);
    refused("twice", StateStream.concatenated(stream, stream), PIECE);
  }

  /** A change that somebody makes who knows the format, checksum and all. */
  private record Forged(String what, byte[] state) {}

  private Forged inSection(String what, int type, int offset, StateStream.Forgery forgery) {
    int at = StateStream.section(stream, type) + offset;
    return new Forged(
        what,
        StateStream.forged(
            stream,
            bytes ->
                forgery.apply(
                    bytes.slice(at, bytes.capacity() - at).order(ByteOrder.LITTLE_ENDIAN))));
  }

  private Forged endpointInt(String field, int offset, int value) {
    return inSection(
        field + " " + value,
        StateStream.ENDPOINT,
        StateStream.SECTION + offset,
        bytes -> bytes.putInt(0, value));
  }

  private List<Forged> forgedChannels() {
    return List.of(
        endpointInt("fault of a channel that is none", FAULT, 0x2_0201),
        endpointInt("fault without an error", FAULT, 0x0_0001),
        endpointInt("fault by an abort", FAULT, 0x5_0001),
        endpointInt("fault of an unknown error", FAULT, 0x7_0001),
        endpointInt("fault that is not latched", FAULT, 0x2_0100),
        endpointInt("address without a fault", FAULT, 0),
        endpointInt("address of an error that has none", FAULT, 0x1_0101),
        endpointInt("channels", CHANNELS, 1),
        endpointInt("channels", CHANNELS, -1),
        endpointInt("enabled", ENABLED, 2),
        endpointInt("not enabled but running", ENABLED, 0),
        endpointInt("state", STATE, 4),
        endpointInt("state", STATE, -1),
        endpointInt("idle with entries to run", STATE, 0),
        endpointInt("halted but enabled", STATE, 2),
        endpointInt("ring unaligned", RING_BASE, 0x20),
        inSection(
            "ring that wraps",
            StateStream.ENDPOINT,
            StateStream.SECTION + RING_BASE,
            bytes -> bytes.putLong(0, -64)),
        endpointInt("ring size", RING_SIZE, 0),
        endpointInt("ring size", RING_SIZE, 1),
        endpointInt("ring size", RING_SIZE, 31),
        endpointInt("ring size", RING_SIZE, 1 << 16),
        endpointInt("ring smaller than HEAD and TAIL", RING_SIZE, 2),
        endpointInt("HEAD", HEAD, Wire.ENTRIES),
        endpointInt("HEAD", HEAD, -1),
        endpointInt("HEAD at TAIL and running", HEAD, 3),
        endpointInt("TAIL", TAIL, Wire.ENTRIES),
        endpointInt("TAIL", TAIL, Integer.MIN_VALUE),
        endpointInt("error of a running channel", ERROR_CODE, 2),
        endpointInt("error", ERROR_CODE, 7));
  }

  private Forged section(String what, int type, int offset, StateStream.Forgery forgery) {
    return inSection(what, type, offset, forgery);
  }

  private List<Forged> forgedSections() {
    List<Forged> all = new ArrayList<>();
    for (int type = StateStream.CONFIG; type <= StateStream.END; type++) {
      all.add(section(type + " of type 0", type, StateStream.TYPE, b -> b.putInt(0, 0)));
      all.add(section(type + " of type 7", type, StateStream.TYPE, b -> b.putInt(0, 7)));
      all.add(section(type + " index", type, StateStream.INDEX, b -> b.putInt(0, 1)));
      all.add(section(type + " index", type, StateStream.INDEX, b -> b.putInt(0, -1)));
      all.add(section(type + " offset", type, StateStream.OFFSET, b -> b.putLong(0, -1)));
      for (long length : new long[] {0, 1, 1 << 20, 1L << 31, 1L << 32, Long.MAX_VALUE, -1}) {
        all.add(
            section(
                type + " length " + length, type, StateStream.LENGTH, b -> b.putLong(0, length)));
      }
    }
    int second = StateStream.section(stream, StateStream.MEMORY, 1);
    for (long offset : new long[] {0x2000, 0x2fff, 0x1000, Wire.BAR_SIZE, Wire.BAR_SIZE - 1}) {
      all.add(
          new Forged(
              "memory at 0x%x".formatted(offset),
              StateStream.forged(
                  stream, bytes -> bytes.putLong(second + StateStream.OFFSET, offset))));
    }
    return all;
  }

  private List<Forged> forgedConfig() {
    int content = StateStream.SECTION;
    int power = content + capability(0x01) + 4;
    return List.of(
        section("vendor ID", StateStream.CONFIG, content, b -> b.put(0, (byte) 1)),
        section("reserved command bit", StateStream.CONFIG, content + 4, b -> b.put(0, (byte) 9)),
        section("BAR 0 type", StateStream.CONFIG, content + 0x10, b -> b.put(0, (byte) 4)),
        section("power state D1", StateStream.CONFIG, power, b -> b.put(0, (byte) 1)),
        section("power state D2", StateStream.CONFIG, power, b -> b.put(0, (byte) 2)),
        section("last byte", StateStream.CONFIG, content + 4095, b -> b.put(0, (byte) 1)),
        section("MSI-X address", StateStream.MSIX, content, b -> b.put(0, (byte) 1)),
        section("MSI-X control", StateStream.MSIX, content + 12, b -> b.put(0, (byte) 2)),
        section("MSI-X pending", StateStream.MSIX, content + 3 * 16, b -> b.put(0, (byte) 8)));
  }

  private int capability(int id) {
    try {
      return new Config(wire.device()).capability(id);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void whatNoDeviceCanBeInIsRefused() throws Exception {
    List<Forged> all =
        Stream.of(forgedChannels(), forgedSections(), forgedConfig())
            .flatMap(List::stream)
            .toList();
    for (Forged forged : all) {
      refused(forged.what, forged.state, PIECE);
      refused(forged.what, forged.state, 1021, 7);
    }
  }

  @Test
  void aForgedStateThatIsPossibleIsTaken() throws Exception {
    byte[] other = endpointInt("VECTOR", 56, 99).state;
    client.migrateTo(RESUMING);
    assertThat(taken(other, PIECE)).isTrue();
    assertThat(stops()).isTrue();
    assertThat(client.readInt(Wire.REGISTERS, 0x101c)).isEqualTo(99);
    assertThat(client.readLong(Wire.REGISTERS, 0x20)).isEqualTo(0xdead_0000L);
    assertThat(FAULT_ADDR).as("behind the fault").isEqualTo(FAULT + Integer.BYTES);
  }

  @Test
  void sectionsComeInTheirOrder() throws Exception {
    int config = StateStream.section(stream, StateStream.CONFIG);
    int msix = StateStream.section(stream, StateStream.MSIX);
    int endpoint = StateStream.section(stream, StateStream.ENDPOINT);
    int memory = StateStream.section(stream, StateStream.MEMORY);
    int end = StateStream.section(stream, StateStream.END);
    byte[] swapped =
        StateStream.concatenated(
            Arrays.copyOfRange(stream, 0, config),
            Arrays.copyOfRange(stream, msix, endpoint),
            Arrays.copyOfRange(stream, config, msix),
            Arrays.copyOfRange(stream, endpoint, stream.length));
    refused("MSI-X before config space", StateStream.summed(swapped), PIECE);
    byte[] without =
        StateStream.concatenated(
            Arrays.copyOfRange(stream, 0, endpoint),
            Arrays.copyOfRange(stream, memory, stream.length));
    refused("no endpoint", StateStream.summed(without), PIECE);
    byte[] twice =
        StateStream.concatenated(
            Arrays.copyOfRange(stream, 0, end), Arrays.copyOfRange(stream, memory, stream.length));
    refused("memory twice", StateStream.summed(twice), PIECE);
    byte[] late =
        StateStream.concatenated(
            Arrays.copyOfRange(stream, 0, end),
            Arrays.copyOfRange(stream, config, msix),
            Arrays.copyOfRange(stream, end, stream.length));
    refused("config space after memory", StateStream.summed(late), PIECE);
  }
}
