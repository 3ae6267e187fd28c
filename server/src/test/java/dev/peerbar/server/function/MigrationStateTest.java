package dev.peerbar.server.function;

import static dev.peerbar.protocol.MigrationState.State.ERROR;
import static dev.peerbar.protocol.MigrationState.State.PRE_COPY;
import static dev.peerbar.protocol.MigrationState.State.PRE_COPY_P2P;
import static dev.peerbar.protocol.MigrationState.State.RESUMING;
import static dev.peerbar.protocol.MigrationState.State.RUNNING;
import static dev.peerbar.protocol.MigrationState.State.RUNNING_P2P;
import static dev.peerbar.protocol.MigrationState.State.STOP;
import static dev.peerbar.protocol.MigrationState.State.STOP_COPY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.MigrationState.State;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.StateStream;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The states of a migration: arcs, paths, and what a reset or a leaving client does to them. */
class MigrationStateTest {
  private static final List<State> STATES = List.of(STOP, RUNNING, STOP_COPY, RESUMING, PRE_COPY);

  /** The next state on the way, as linux/vfio.h's table has it without the peer-to-peer states. */
  private static final Map<State, Map<State, State>> NEXT =
      Map.of(
          STOP,
          Map.of(RUNNING, RUNNING, STOP_COPY, STOP_COPY, RESUMING, RESUMING, PRE_COPY, RUNNING),
          RUNNING,
          Map.of(STOP, STOP, STOP_COPY, STOP, RESUMING, STOP, PRE_COPY, PRE_COPY),
          STOP_COPY,
          Map.of(STOP, STOP, RUNNING, STOP, RESUMING, STOP),
          RESUMING,
          Map.of(STOP, STOP, RUNNING, STOP, STOP_COPY, STOP, PRE_COPY, STOP),
          PRE_COPY,
          Map.of(STOP, RUNNING, RUNNING, RUNNING, STOP_COPY, STOP_COPY, RESUMING, RUNNING));

  private static final int MARK = 0x5ca1ab1e;
  private static final int PIECE = 1 << 16;

  @TempDir Path directory;
  private Wire wire;
  private VfioUserClient client;

  /** The state of this device with {@link #MARK} in SCRATCH. */
  private byte[] stream;

  @BeforeEach
  void serve() throws Exception {
    wire = Wire.connected(directory);
    client = wire.client();
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, MARK);
    client.migrateTo(STOP_COPY);
    stream = StateStream.read(client, PIECE);
    client.reset();
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  /** Goes to a state from RUNNING by direct arcs; RESUMING has all that it needs to stop. */
  private void enter(State state) throws IOException {
    List<State> arcs =
        switch (state) {
          case RUNNING -> List.of();
          case STOP -> List.of(STOP);
          case STOP_COPY -> List.of(STOP, STOP_COPY);
          case PRE_COPY -> List.of(PRE_COPY);
          case RESUMING, ERROR -> List.of(STOP, RESUMING);
          case RUNNING_P2P, PRE_COPY_P2P -> throw new AssertionError(state);
        };
    for (State arc : arcs) {
      client.migrateTo(arc);
    }
    if (state == RESUMING) {
      StateStream.write(client, stream, PIECE);
    } else if (state == ERROR) {
      fail();
    }
    assertThat(client.migrationState()).isEqualTo(state);
  }

  /** From RESUMING to ERROR: a state without its end. */
  private void fail() throws IOException {
    StateStream.write(client, Arrays.copyOf(stream, stream.length - 1), PIECE);
    refused(STOP);
  }

  private void refused(State state) {
    assertThatThrownBy(() -> client.migrateTo(state))
        .isInstanceOfSatisfying(
            RemoteErrorException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
  }

  /** What a client can tell of the state: a data transfer session is one of its things. */
  private List<Object> observed() throws IOException {
    List<Object> seen = new ArrayList<>();
    seen.add(client.migrationState());
    seen.add(client.readInt(Wire.REGISTERS, Wire.SCRATCH));
    try {
      seen.add(Arrays.hashCode(StateStream.read(client, PIECE)));
    } catch (RemoteErrorException e) {
      seen.add(e.errno());
    }
    try {
      client.migrationWrite(Arrays.copyOf(stream, 1));
      seen.add("written");
    } catch (RemoteErrorException e) {
      seen.add(e.errno());
    }
    return seen;
  }

  @Test
  void itRunsAtFirst() throws Exception {
    assertThat(client.migrationState()).isEqualTo(RUNNING);
  }

  @ParameterizedTest
  @CsvSource({
    "RUNNING, STOP",
    "STOP, RUNNING",
    "STOP, STOP_COPY",
    "STOP_COPY, STOP",
    "RUNNING, PRE_COPY",
    "PRE_COPY, RUNNING",
    "PRE_COPY, STOP_COPY",
    "STOP, RESUMING",
    "RESUMING, STOP"
  })
  void eachArcCanBeGone(State from, State to) throws Exception {
    enter(from);
    client.migrateTo(to);
    assertThat(client.migrationState()).isEqualTo(to);
  }

  static List<Arguments> pairs() {
    List<Arguments> pairs = new ArrayList<>();
    for (State from : STATES) {
      for (State to : STATES) {
        if (from != to && !(from == STOP_COPY && to == PRE_COPY)) {
          pairs.add(Arguments.of(from, to));
        }
      }
    }
    return pairs;
  }

  @ParameterizedTest
  @MethodSource("pairs")
  void aComplexTransitionIsItsArcsOneByOne(State from, State to) throws Exception {
    enter(from);
    client.migrateTo(to);
    List<Object> atOnce = observed();
    client.reset();
    enter(from);
    for (State at = from; at != to; ) {
      at = NEXT.get(at).get(to);
      client.migrateTo(at);
    }
    assertThat(atOnce).isEqualTo(observed()).startsWith(to);
  }

  @Test
  void aStateGoesToItself() throws Exception {
    for (State state : STATES) {
      enter(state);
      client.migrateTo(state);
      assertThat(client.migrationState()).isEqualTo(state);
      client.reset();
    }
  }

  @Test
  void aSessionGoesOnWhenItsStateIsSetAgain() throws Exception {
    enter(STOP_COPY);
    byte[] beginning = client.migrationRead(100);
    client.migrateTo(STOP_COPY);
    assertThat(StateStream.concatenated(beginning, StateStream.read(client, PIECE)))
        .hasSameSizeAs(stream);
  }

  @Test
  void statesThatAreNoneCannotBeSet() throws Exception {
    for (State from : STATES) {
      enter(from);
      for (State to : List.of(ERROR, RUNNING_P2P, PRE_COPY_P2P)) {
        refused(to);
        assertThat(client.migrationState()).isEqualTo(from);
      }
      client.reset();
    }
  }

  @Test
  void copyingCannotGoBackToBeforeCopying() throws Exception {
    enter(STOP_COPY);
    refused(PRE_COPY);
    assertThat(client.migrationState()).isEqualTo(STOP_COPY);
    assertThat(StateStream.read(client, PIECE)).as("the session goes on").hasSameSizeAs(stream);
  }

  @Test
  void onlyAResetLeadsOutOfError() throws Exception {
    enter(ERROR);
    for (State to : State.values()) {
      refused(to);
      assertThat(client.migrationState()).isEqualTo(ERROR);
    }
    client.reset();
    assertThat(client.migrationState()).isEqualTo(RUNNING);
    HbmChannel channel = wire.channel(0);
    channel.run(Descriptor.nop().interrupt());
    Wire.idle(channel);
  }

  @Test
  void resetsLeadToRunningAndEndTheSession() throws Exception {
    for (State from : List.of(STOP, RUNNING, STOP_COPY, RESUMING, PRE_COPY, ERROR)) {
      enter(from);
      client.reset();
      assertThat(client.migrationState()).as("after " + from).isEqualTo(RUNNING);
      assertThat(observed()).containsExactly(RUNNING, 0, Errno.EINVAL, Errno.EINVAL);
    }
  }

  @Test
  void aFunctionLevelResetLeadsToRunning() throws Exception {
    HbmChannel channel = wire.channel(0);
    for (State from : List.of(STOP, STOP_COPY, RESUMING, PRE_COPY, ERROR)) {
      enter(from);
      channel.driver().device().reset();
      assertThat(observed())
          .as("after " + from)
          .containsExactly(RUNNING, 0, Errno.EINVAL, Errno.EINVAL);
      channel.setUp();
      channel.run(Descriptor.nop().interrupt());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "RUNNING, RUNNING",
    "STOP, STOP",
    "STOP_COPY, STOP",
    "PRE_COPY, RUNNING",
    "RESUMING, ERROR",
    "ERROR, ERROR"
  })
  void theNextClientFinds(State left, State found) throws Exception {
    enter(left);
    client.close();
    client = wire.own(wire.connect());
    assertThat(client.migrationState()).isEqualTo(found);
    assertThatThrownBy(() -> client.migrationRead(1)).isInstanceOf(RemoteErrorException.class);
    client.reset();
    assertThat(client.migrationState()).isEqualTo(RUNNING);
  }

  @Test
  void aClientThatLeavesBeforeItWroteAnythingThatCountsLeavesTheDeviceStopped() throws Exception {
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, 7);
    client.migrateTo(RESUMING);
    client.migrationWrite(Arrays.copyOf(stream, StateStream.HEADER + 100));
    client.close();
    client = wire.own(wire.connect());
    assertThat(client.migrationState()).isEqualTo(STOP);
    client.migrateTo(RUNNING);
    assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(7);
  }
}
