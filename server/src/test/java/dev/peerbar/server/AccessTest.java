package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Who may connect, and who may not. */
@Timeout(120)
final class AccessTest {
  private static final int MARK = 0x600d_600d;

  @TempDir private Path directory;
  private final List<AutoCloseable> open = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : open.reversed()) {
      each.close();
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    open.add(resource);
    return resource;
  }

  private Path path() {
    return directory.resolve("access.sock");
  }

  private void serve(ListenAddress place, AllowedPeers allowed) throws IOException {
    own(
        EndpointServer.start(
            "access",
            new HbmEndpoint(Wire.config(DoorbellMode.TRAP)),
            place,
            ServerOptions.DEFAULT.withAllowed(allowed)));
  }

  private static int ownUser() throws Exception {
    try (UnixSocket.Pair pair = UnixSocket.pair()) {
      return UnixSocket.peerCredentials(pair.first()).uid();
    }
  }

  private static VfioUserClient works(VfioUserClient client) throws IOException {
    client.negotiate(Wire.capabilities());
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    return client;
  }

  private VfioUserClient connect() throws IOException {
    return own(VfioUserClient.connect(path()));
  }

  private static void busy(VfioUserClient client) {
    assertThatThrownBy(() -> client.negotiate(Wire.capabilities()))
        .isInstanceOfSatisfying(
            RemoteErrorException.class,
            refusal -> assertThat(refusal.errno()).isEqualTo(Errno.EBUSY));
    assertThat(client.awaitEnd(Wire.LIMIT)).as("the server hangs up").isTrue();
  }

  @ParameterizedTest
  @CsvSource({"0600, rw-------", "0660, rw-rw----", "0666, rw-rw-rw-", "0200, -w-------"})
  void theSocketHasTheModeAskedFor(String mode, String permissions) throws Exception {
    serve(new ListenAddress.AtPath(path(), Integer.parseInt(mode, 8)), AllowedPeers.ANY_USER);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
        .isEqualTo(permissions);
  }

  @Test
  void aUserOnTheListIsServed() throws Exception {
    serve(new ListenAddress.AtPath(path()), new AllowedPeers(Set.of(12345, ownUser())));
    works(connect());
  }

  @Test
  void aUserNotOnTheListIsHungUpOnUnheard() throws Exception {
    serve(new ListenAddress.AtPath(path()), new AllowedPeers(Set.of(ownUser() + 1)));
    VfioUserClient client = connect();
    assertThat(client.awaitEnd(Wire.LIMIT)).isTrue();
  }

  @Test
  void anInheritedConnectionIsAskedForItsUserToo() throws Exception {
    UnixSocket.Pair pair = UnixSocket.pair();
    VfioUserClient client = own(VfioUserClient.connect(pair.first()));
    serve(
        new ListenAddress.Inherited(pair.second().number()),
        new AllowedPeers(Set.of(ownUser() + 1)));
    assertThat(client.awaitEnd(Wire.LIMIT)).isTrue();
  }

  @Test
  void aConnectionThatSaysNothingKeepsNobodyOut() throws Exception {
    serve(new ListenAddress.AtPath(path()), AllowedPeers.ANY_USER);
    connect();
    connect();
    VfioUserClient client = works(connect());
    client.writeInt(Wire.REGISTERS, Wire.SCRATCH, MARK);
    assertThat(client.readInt(Wire.REGISTERS, Wire.SCRATCH)).isEqualTo(MARK);
  }

  @Test
  void whoWaitedSilentlyIsTurnedAwayWhileThereIsAClientAndServedAfterIt() throws Exception {
    serve(new ListenAddress.AtPath(path()), AllowedPeers.ANY_USER);
    VfioUserClient early = connect();
    List<VfioUserClient> late = new ArrayList<>();
    for (int i = 0; i < Connections.MOST / 2; i++) {
      late.add(connect());
    }
    VfioUserClient client = works(connect());
    busy(early);
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    client.close();
    Wire.await(
        "the client's place",
        () -> {
          try {
            works(late.removeFirst());
            return true;
          } catch (RemoteErrorException e) {
            return false;
          }
        });
  }

  @Test
  void connectionsAreBoundedAndTheClientStays() throws Exception {
    serve(new ListenAddress.AtPath(path()), AllowedPeers.ANY_USER);
    VfioUserClient client = works(connect());
    long before = OpenFiles.count();
    List<FileDescriptor> crowd = new ArrayList<>();
    int size = 3 * Connections.MOST;
    for (int i = 0; i < size; i++) {
      crowd.add(own(UnixSocket.connect(path(), Wire.LIMIT)));
    }
    long hungUp = size - (Connections.MOST - 1);
    Wire.await(
        "the crowd's end",
        () -> {
          long gone = 0;
          for (FileDescriptor each : crowd) {
            gone += UnixSocket.hasHungUp(each) ? 1 : 0;
          }
          return gone == hungUp;
        });
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
    crowd.forEach(FileDescriptor::close);
    Wire.await("their descriptors' end", () -> OpenFiles.count() == before);
    assertThat(client.readInt(Wire.REGISTERS, Wire.ID)).isEqualTo(Wire.ID_VALUE);
  }
}
