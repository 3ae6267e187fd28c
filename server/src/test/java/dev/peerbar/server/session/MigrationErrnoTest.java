package dev.peerbar.server.session;

import static dev.peerbar.protocol.MigrationState.State.PRE_COPY;
import static dev.peerbar.protocol.MigrationState.State.RESUMING;
import static dev.peerbar.protocol.MigrationState.State.STOP;
import static dev.peerbar.protocol.MigrationState.State.STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Host;
import dev.peerbar.linux.Errno;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceFeature.Feature;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.MigDataRead;
import dev.peerbar.protocol.MigDataWrite;
import dev.peerbar.protocol.MigrationFeature;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.protocol.MigrationState.State;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.StateStream;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Refusals of DEVICE_FEATURE, of its migration features, and of a migration's data. */
class MigrationErrnoTest {
  private static final int GET = DeviceFeature.GET;
  private static final int SET = DeviceFeature.SET;
  private static final int PROBE = DeviceFeature.PROBE;
  private static final int MIGRATION = Feature.MIGRATION.index();
  private static final int STATE = Feature.MIG_DEVICE_STATE.index();
  private static final int AMPLE = 64;
  private static final int MOST_DATA = 1 << 20;

  @TempDir Path directory;
  private Wire wire;
  private VfioUserClient client;

  @BeforeEach
  void serve() throws Exception {
    wire = Wire.connected(directory);
    client = wire.client();
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private void refuses(Errno errno, int argsz, int flags, ByteBuf data) throws IOException {
    State before = client.migrationState();
    wire.refuses(errno, Command.DEVICE_FEATURE, new DeviceFeature.Request(argsz, flags, data));
    assertThat(client.migrationState()).isEqualTo(before);
  }

  private void refuses(int flags) throws IOException {
    refuses(Errno.EINVAL, AMPLE, flags, none());
  }

  private static ByteBuf none() {
    return Unpooled.EMPTY_BUFFER;
  }

  private static ByteBuf state(int code) {
    return Unpooled.buffer().writeIntLE(code).writeIntLE(-1);
  }

  // DEVICE_FEATURE.

  @ParameterizedTest
  @ValueSource(ints = {1 << 19, 1 << 20, 1 << 31})
  void unknownFlagsAreEinval(int unknown) throws Exception {
    refuses(MIGRATION | GET | unknown);
    refuses(MIGRATION | PROBE | unknown);
    refuses(0xffff | PROBE | unknown);
  }

  @Test
  void gettingAndSettingAtOnceIsEinval() throws Exception {
    refuses(MIGRATION | GET | SET);
    refuses(Errno.EINVAL, AMPLE, STATE | GET | SET, state(STOP.code()));
    refuses(0xffff | GET | SET);
  }

  @Test
  void neitherGettingNorSettingNorProbingIsEinval() throws Exception {
    refuses(MIGRATION);
    refuses(STATE);
  }

  @Test
  void neitherOfAFeatureThatIsNotThereIsEnotty() throws Exception {
    refuses(Errno.ENOTTY, AMPLE, 0xffff, none());
  }

  @Test
  void aMethodThatAFeatureDoesNotHaveIsEinval() throws Exception {
    refuses(Errno.EINVAL, AMPLE, MIGRATION | SET, Unpooled.wrappedBuffer(new byte[8]));
    refuses(MIGRATION | SET | PROBE);
    refuses(MIGRATION | SET | GET | PROBE);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 7})
  void anArgszWithoutRoomForTheHeaderIsEinval(int argsz) throws Exception {
    refuses(Errno.EINVAL, argsz, MIGRATION | PROBE, none());
    refuses(Errno.EINVAL, argsz, 0xffff | PROBE, none());
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 15})
  void anArgszWithoutRoomForTheDataIsEinval(int argsz) throws Exception {
    refuses(Errno.EINVAL, argsz, MIGRATION | GET, none());
    refuses(Errno.EINVAL, argsz, STATE | GET, none());
    refuses(Errno.EINVAL, argsz, STATE | SET, state(STOP.code()));
  }

  @ParameterizedTest
  @ValueSource(
      ints = {
        MigrationErrnoTest.PROBE_MIGRATION,
        MigrationErrnoTest.PROBE_MIGRATION | DeviceFeature.GET,
        MigrationErrnoTest.PROBE_STATE,
        MigrationErrnoTest.PROBE_STATE | DeviceFeature.GET,
        MigrationErrnoTest.PROBE_STATE | DeviceFeature.SET,
        MigrationErrnoTest.PROBE_STATE | DeviceFeature.GET | DeviceFeature.SET
      })
  void aProbeIsAnsweredWithItself(int flags) throws Exception {
    DeviceFeature.Request probe =
        new DeviceFeature.Request(AMPLE, flags, Unpooled.wrappedBuffer(new byte[] {1, 2, 3}));
    Frame reply = wire.ask(Command.DEVICE_FEATURE.code(), Wire.bytes(probe));
    try {
      assertThat(reply.header().error()).isFalse();
      assertThat(ByteBufUtil.getBytes(reply.payload()))
          .isEqualTo(ByteBufUtil.getBytes(Wire.bytes(probe)));
    } finally {
      reply.release();
    }
    assertThat(client.migrationState()).isEqualTo(State.RUNNING);
  }

  private static final int PROBE_MIGRATION = DeviceFeature.PROBE | 1;
  private static final int PROBE_STATE = DeviceFeature.PROBE | 2;

  @Test
  void theMigrationThatItCanDoIsTold() throws Exception {
    DeviceFeature.Reply reply = client.deviceFeature(MIGRATION | GET, none());
    assertThat(reply.argsz()).isEqualTo(16);
    assertThat(reply.flags()).isEqualTo(MIGRATION | GET);
    assertThat(MigrationFeature.decode(reply.data()).flags())
        .isEqualTo(MigrationFeature.STOP_COPY | MigrationFeature.PRE_COPY);
  }

  @Test
  void theStateIsGotAndSetWithTheRightLengths() throws Exception {
    DeviceFeature.Reply set = client.deviceFeature(STATE | SET, state(STOP.code()));
    assertThat(set.flags()).isEqualTo(STATE | SET);
    assertThat(MigrationState.decode(set.data())).isEqualTo(new MigrationState(STOP, -1));
    DeviceFeature.Reply got = client.deviceFeature(STATE | GET, none());
    assertThat(got.argsz()).isEqualTo(16);
    assertThat(MigrationState.decode(got.data())).isEqualTo(new MigrationState(STOP, -1));
  }

  // MIG_DEVICE_STATE.

  @ParameterizedTest
  @ValueSource(ints = {0, 5, 7, 8, 0x7fff_ffff, -1})
  void aStateThatCannotBeSetIsEinval(int code) throws Exception {
    refuses(Errno.EINVAL, AMPLE, STATE | SET, state(code));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 4, 7})
  void aStateThatIsTooShortIsEinval(int length) throws Exception {
    refuses(Errno.EINVAL, AMPLE, STATE | SET, state(STOP.code()).slice(0, length));
  }

  @Test
  void copyingBackToBeforeCopyingIsEinval() throws Exception {
    client.migrateTo(STOP_COPY);
    refuses(Errno.EINVAL, AMPLE, STATE | SET, state(PRE_COPY.code()));
  }

  @Test
  void stoppingWithNothingWrittenIsEinvalAndChangesNothing() throws Exception {
    client.migrateTo(RESUMING);
    refuses(Errno.EINVAL, AMPLE, STATE | SET, state(STOP.code()));
    refuses(Errno.EINVAL, AMPLE, STATE | SET, state(State.RUNNING.code()));
  }

  // MIG_DATA_READ.

  private void refusesRead(int argsz, int size) throws IOException {
    wire.refuses(Errno.EINVAL, Command.MIG_DATA_READ, new MigDataRead.Request(argsz, size));
  }

  @ParameterizedTest
  @EnumSource(names = {"RUNNING", "STOP", "RESUMING"})
  void readingOutsideTheSavingGroupIsEinval(State state) throws Exception {
    client.migrateTo(state);
    refusesRead(AMPLE, 8);
  }

  @ParameterizedTest
  @EnumSource(names = {"PRE_COPY", "STOP_COPY"})
  void readingMoreThanATransferIsEinval(State state) throws Exception {
    client.migrateTo(state);
    refusesRead(-1, MOST_DATA + 1);
    refusesRead(-1, -1);
    refusesRead(-1, Integer.MIN_VALUE);
    assertThat(client.migrationRead(8))
        .as("nothing is lost")
        .isEqualTo("PEERBARM".getBytes("UTF-8"));
  }

  @Test
  void readingMoreThanTheClientTakesIsEinval() throws Exception {
    client.close();
    try (VfioUserClient modest = VfioUserClient.connect(wire.path())) {
      modest.negotiate(
          new Capabilities(8, 4096, 65535, 4096, Optional.empty(), true, Optional.empty()));
      modest.migrateTo(STOP_COPY);
      assertThat(modest.migrationRead(4096)).hasSize(4096);
      assertThatThrownBy(() -> modest.migrationRead(4097))
          .isInstanceOfSatisfying(
              RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 8, 15})
  void readingWithAnArgszThatDoesNotHoldItIsEinval(int argsz) throws Exception {
    client.migrateTo(STOP_COPY);
    refusesRead(argsz, 8);
    assertThat(client.migrationRead(8))
        .as("nothing is lost")
        .isEqualTo("PEERBARM".getBytes("UTF-8"));
  }

  // MIG_DATA_WRITE.

  private void refusesWrite(int argsz, byte[] data) throws IOException {
    wire.refuses(
        Errno.EINVAL,
        Command.MIG_DATA_WRITE,
        new MigDataWrite.Request(argsz, Unpooled.wrappedBuffer(data)));
  }

  private byte[] header() throws IOException {
    client.migrateTo(PRE_COPY);
    byte[] header = client.migrationRead(StateStream.HEADER);
    client.reset();
    return header;
  }

  @ParameterizedTest
  @EnumSource(names = {"RUNNING", "STOP", "STOP_COPY", "PRE_COPY"})
  void writingOutsideResumingIsEinval(State state) throws Exception {
    byte[] header = header();
    client.migrateTo(state);
    refusesWrite(1024, header);
  }

  @Test
  void writingMoreThanATransferIsEinval() throws Exception {
    byte[] much = Arrays.copyOf(header(), MOST_DATA + 1);
    client.migrateTo(RESUMING);
    refusesWrite(-1, much);
  }

  @Test
  void writingWithAnArgszThatDoesNotHoldItIsEinval() throws Exception {
    byte[] header = header();
    client.migrateTo(RESUMING);
    refusesWrite(MigDataWrite.DATA + header.length - 1, header);
    client.migrationWrite(header);
  }

  @Test
  void aSizeThatIsNotTheDatasIsEinval() throws Exception {
    client.migrateTo(RESUMING);
    for (int size : new int[] {3, 5, -1}) {
      ByteBuf payload = Unpooled.buffer().writeIntLE(AMPLE).writeIntLE(size).writeIntLE(0);
      wire.refuses(Errno.EINVAL, Command.MIG_DATA_WRITE.code(), payload);
    }
  }

  // An endpoint that cannot be migrated.

  @Test
  void anEndpointThatCannotBeMigratedHasNoneOfIt() throws Exception {
    Path path = directory.resolve("fixed.sock");
    try (EndpointServer server = Serving.start("fixed", new Fixed(), path);
        VfioUserClient other = VfioUserClient.connect(path)) {
      assertThat(server.function().migration()).isEmpty();
      other.negotiate(Wire.capabilities());
      for (int flags : new int[] {MIGRATION | GET, MIGRATION | PROBE, STATE | GET, STATE | SET}) {
        assertThatThrownBy(() -> other.deviceFeature(flags, none()))
            .isInstanceOfSatisfying(
                RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOTTY));
      }
      assertThatThrownBy(() -> other.migrationRead(8))
          .isInstanceOfSatisfying(
              RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOTSUP));
      assertThatThrownBy(() -> other.migrationWrite(new byte[8]))
          .isInstanceOfSatisfying(
              RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOTSUP));
    }
  }

  /** Nothing but what every endpoint is. */
  private static final class Fixed implements Endpoint {
    private final PciFunction function =
        PciFunction.builder().identity(0x1234, 1).classCode(0x120000).registers(0, 4096).build();

    @Override
    public PciFunction function() {
      return function;
    }

    @Override
    public void start(Host host) {}

    @Override
    public long read(int bar, long offset, AccessWidth width) {
      return 0;
    }

    @Override
    public void write(int bar, long offset, AccessWidth width, long value) {}

    @Override
    public void reset(ResetKind kind) {}
  }
}
