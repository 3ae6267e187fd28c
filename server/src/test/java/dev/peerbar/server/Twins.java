package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Capabilities.TwinSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.client.VfioUserClient;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/** A client that does not know of its twin socket, and the twin socket. */
record Twins(VfioUserClient main, MessageSocket twin) implements AutoCloseable {

  static Capabilities capabilities(int descriptors, boolean twin) {
    return new Capabilities(
        descriptors,
        1 << 20,
        65535,
        4096,
        Optional.of(new TwinSocket(twin, OptionalInt.empty())),
        false,
        Optional.empty());
  }

  static Twins connect(Path server) throws Exception {
    VfioUserClient main = VfioUserClient.connect(server);
    main.setTimeout(Wire.LIMIT);
    Frame reply =
        main.submit(Command.VERSION, new Version.Request(0, 1, capabilities(1, true))).get();
    try {
      Version.Reply agreed = Version.Reply.decode(reply.payload());
      assertThat(agreed.capabilities().twinSocket())
          .contains(new TwinSocket(true, OptionalInt.of(0)));
      assertThat(reply.descriptors().count()).isOne();
      FileDescriptor socket = reply.descriptors().take(0).orElseThrow();
      assertThat(UnixSocket.isUnixStream(socket)).isTrue();
      return new Twins(main, new MessageSocket(socket));
    } finally {
      reply.release();
    }
  }

  @Override
  public void close() {
    main.close();
    twin.close();
  }
}
