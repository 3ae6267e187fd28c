package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.client.VfioUserClient;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** An HBM endpoint that is served in this process, and a client of it, over a real socket. */
final class Wire implements AutoCloseable {
  static final int REGISTERS = 0;
  static final int MEMORY = 2;
  static final int MSIX = 4;
  static final int CONFIG = 7;

  static final long BAR_SIZE = 1 << 20;
  static final int CHANNELS = 2;
  static final int VECTORS = CHANNELS + 1;

  static final int ID_VALUE = 0x4d42_4850;
  static final long ID = 0x00;
  static final long STATUS = 0x0c;
  static final long RESET_COUNT = 0x18;
  static final long SCRATCH = 0x1c;

  static final int READ_WRITE = DmaMap.READABLE | DmaMap.WRITEABLE;
  static final Duration LIMIT = Duration.ofSeconds(20);

  /** Ids that the client's typed calls do not come to. */
  private static final int FIRST_RAW_ID = 0x9000;

  static final int NO_REPLY = 1 << 4;
  private static final long CHANNEL_REGISTERS = 0x1000;
  private static final int CHANNEL_BYTES = 0x28;
  private static final int GLOBAL_BYTES = 0x2c;
  private static final int CONFIG_BYTES = 4096;

  private final Path path;
  private final EndpointServer server;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private VfioUserClient client;
  private int lastId = FIRST_RAW_ID;

  private Wire(Path directory, HbmConfig config) throws IOException {
    path = directory.resolve("hbm.sock");
    server = EndpointServer.start("hbm", new HbmEndpoint(config), new ListeningPlace.AtPath(path));
  }

  /** Another endpoint in this process. */
  static EndpointServer serve(String name, Path path) throws IOException {
    return EndpointServer.start(
        name, new HbmEndpoint(config(DoorbellMode.TRAP)), new ListeningPlace.AtPath(path));
  }

  static HbmConfig config(DoorbellMode doorbells) {
    return new HbmConfig(BAR_SIZE, CHANNELS, doorbells, false);
  }

  /** Serves with trapped doorbells, and connects. */
  static Wire connected(Path directory) throws IOException {
    return connected(directory, config(DoorbellMode.TRAP));
  }

  static Wire connected(Path directory, HbmConfig config) throws IOException {
    Wire wire = new Wire(directory, config);
    wire.client = wire.connect();
    return wire;
  }

  /** Serves; clients come and go with {@link #connect}. */
  static Wire unconnected(Path directory) throws IOException {
    return new Wire(directory, config(DoorbellMode.TRAP));
  }

  /** Serves, and connects without a word of the version. */
  static Wire silent(Path directory) throws IOException {
    Wire wire = new Wire(directory, config(DoorbellMode.TRAP));
    wire.client = VfioUserClient.connect(wire.path);
    wire.client.setTimeout(LIMIT);
    // Once this is answered the server has accepted the connection, and opens nothing more.
    wire.refusal(Errno.ENOSYS, 0, Unpooled.EMPTY_BUFFER);
    return wire;
  }

  Path path() {
    return path;
  }

  EndpointServer server() {
    return server;
  }

  VfioUserClient client() {
    return client;
  }

  /** Another client, ready for use. */
  VfioUserClient connect() throws IOException {
    VfioUserClient other = VfioUserClient.connect(path);
    other.setTimeout(LIMIT);
    other.negotiate(capabilities());
    return other;
  }

  /** Another client in the place of the one that has gone, as soon as the server knows. */
  VfioUserClient reconnect() throws IOException {
    client.close();
    client = connect();
    return client;
  }

  static Capabilities capabilities() {
    return new Capabilities(8, 1 << 20, 65535, 4096, Optional.empty(), true, Optional.empty());
  }

  /** To be closed with this. */
  <T extends AutoCloseable> T own(T resource) {
    owned.addFirst(resource);
    return resource;
  }

  GuestMemory memory(long size) throws IOException {
    return own(new GuestMemory("wire-test", size));
  }

  // Any message, and its reply.

  /** Sends a message and waits for the reply that has its id. To be released. */
  Frame ask(int command, ByteBuf payload, FileDescriptor... descriptors) throws IOException {
    int id = send(command, 0, payload, descriptors);
    Frame reply = client.receive();
    assertThat(reply.header().id()).isEqualTo(id);
    return reply;
  }

  /** Sends a message that asks for no reply. */
  void post(Command command, Payload payload, FileDescriptor... descriptors) throws IOException {
    send(command.code(), NO_REPLY, bytes(payload), descriptors);
  }

  private int send(int command, int flags, ByteBuf payload, FileDescriptor... descriptors)
      throws IOException {
    int id = ++lastId;
    client.send(message(id, command, flags, payload), descriptors);
    return id;
  }

  static ByteBuf message(int id, int command, int flags, ByteBuf payload) {
    ByteBuf message = Unpooled.buffer();
    message.writeShortLE(id);
    message.writeShortLE(command);
    message.writeIntLE(Header.SIZE + payload.readableBytes());
    message.writeIntLE(flags);
    message.writeIntLE(0);
    message.writeBytes(payload);
    return message;
  }

  static ByteBuf bytes(Payload payload) {
    ByteBuf bytes = Unpooled.buffer(payload.encodedSize());
    payload.encode(bytes);
    return bytes;
  }

  /**
   * The message is answered with an errno and nothing else; it changes nothing, leaves nothing
   * open, and the next request is served.
   */
  void refuses(Errno errno, Command command, Payload payload, FileDescriptor... descriptors)
      throws IOException {
    refuses(errno, command.code(), bytes(payload), descriptors);
  }

  void refuses(Errno errno, int command, ByteBuf payload, FileDescriptor... descriptors)
      throws IOException {
    List<Object> before = state();
    long open = OpenFiles.count();
    refusal(errno, command, payload, descriptors);
    assertThat(OpenFiles.count()).as("open descriptors").isEqualTo(open);
    assertThat(state()).as("the device's state").isEqualTo(before);
  }

  /** Only the reply: for what is refused before the device can be asked for its state. */
  void refusal(Errno errno, int command, ByteBuf payload, FileDescriptor... descriptors)
      throws IOException {
    Frame reply = ask(command, payload, descriptors);
    try {
      assertThat(reply.header().isReply()).isTrue();
      assertThat(reply.header().command()).isEqualTo(command);
      assertThat(reply.header().error()).as("the error flag").isTrue();
      assertThat(Errno.of(reply.header().errno())).contains(errno);
      assertThat(reply.header().size()).as("only a header").isEqualTo(Header.SIZE);
      assertThat(reply.descriptors().count()).isZero();
    } finally {
      reply.release();
    }
  }

  /** Everything that a client could change, but for the memory. */
  private List<Object> state() throws IOException {
    List<Object> state = new ArrayList<>();
    state.add(boxed(client.regionRead(CONFIG, 0, CONFIG_BYTES)));
    for (long at = 0; at < GLOBAL_BYTES; at += Integer.BYTES) {
      state.add(client.readInt(REGISTERS, at));
    }
    for (long at = 0; at < CHANNEL_BYTES; at += Integer.BYTES) {
      state.add(client.readInt(REGISTERS, CHANNEL_REGISTERS + at));
    }
    state.add(boxed(client.regionRead(MSIX, 0, CONFIG_BYTES)));
    // Written by another thread before its last reply: nothing changes it now.
    state.add(server.function().bus().table().size());
    return state;
  }

  private static List<Byte> boxed(byte[] bytes) {
    List<Byte> list = new ArrayList<>();
    for (byte value : bytes) {
      list.add(value);
    }
    return list;
  }

  /** The connection serves requests. */
  void works() throws IOException {
    assertThat(client.readInt(REGISTERS, ID)).isEqualTo(ID_VALUE);
  }

  /** The server has hung up. */
  void closed() {
    assertThat(client.awaitEnd(LIMIT)).as("the connection has ended").isTrue();
  }

  /** Waits for something that no event tells. */
  static void await(String what, Condition condition) throws Exception {
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (!condition.holds()) {
      assertThat(System.nanoTime()).as(what).isLessThan(deadline);
      Thread.sleep(1);
    }
  }

  /** Whether something has come about. */
  interface Condition {
    boolean holds() throws Exception;
  }

  @Override
  public void close() {
    if (client != null) {
      client.close();
    }
    server.close();
    for (AutoCloseable resource : owned) {
      try {
        resource.close();
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    }
  }
}
