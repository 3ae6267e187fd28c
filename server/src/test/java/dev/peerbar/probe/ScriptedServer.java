package dev.peerbar.probe;

import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A server that answers as it is told: by itself as a plain device with config space and nothing
 * else, and to some commands as a test wants. Takes one client after the other.
 */
final class ScriptedServer implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofSeconds(60);
  private static final int REGIONS = 9;
  private static final int IRQS = 5;

  /** What to do about a request. */
  sealed interface Reaction {}

  /** Reply; the descriptors stay the test's. */
  record Answer(Payload payload, FileDescriptor... descriptors) implements Reaction {}

  /** Reply with an errno. */
  record Refusal(int errno) implements Reaction {
    Refusal(Errno errno) {
      this(errno.code());
    }
  }

  /** Send bytes, whatever they are. */
  record Raw(ByteBuf bytes) implements Reaction {}

  /** Say nothing. */
  record Silence() implements Reaction {}

  /** End the connection. */
  record HangUp() implements Reaction {}

  /** How to react to a request of some command. */
  interface Script {
    Reaction react(Header header, ByteBuf payload) throws InvalidMessageException, IOException;
  }

  private final FileDescriptor listening;
  private final byte[] config;
  private final Map<Command, Script> scripts = new EnumMap<>(Command.class);
  private final List<Command> received = Collections.synchronizedList(new ArrayList<>());
  private final Thread thread;
  private volatile boolean closed;

  private ScriptedServer(Path path, byte[] config) throws IOException {
    this.config = config;
    listening = UnixSocket.listen(path, UnixSocket.OWNER_ONLY, 8);
    scripts.put(Command.VERSION, this::version);
    scripts.put(
        Command.DEVICE_GET_INFO,
        (header, payload) ->
            new Answer(
                new DeviceGetInfo.Reply(DeviceGetInfo.PCI | DeviceGetInfo.RESET, REGIONS, IRQS)));
    scripts.put(Command.DEVICE_GET_REGION_INFO, this::regionInfo);
    scripts.put(
        Command.DEVICE_GET_IRQ_INFO,
        (header, payload) ->
            new Answer(
                new DeviceGetIrqInfo.Reply(
                    0, DeviceGetIrqInfo.Request.decode(payload).index(), 0)));
    scripts.put(Command.REGION_READ, this::regionRead);
    thread = Thread.ofPlatform().daemon().name("scripted-server").start(this::serve);
  }

  static ScriptedServer start(Path path, byte[] config) throws IOException {
    return new ScriptedServer(path, config);
  }

  /** Reacts so from the next request on. */
  ScriptedServer on(Command command, Script script) {
    synchronized (scripts) {
      scripts.put(command, script);
    }
    return this;
  }

  ScriptedServer on(Command command, Reaction reaction) {
    return on(command, (header, payload) -> reaction);
  }

  /** What clients have asked. */
  List<Command> received() {
    return List.copyOf(received);
  }

  private Reaction version(Header header, ByteBuf payload) throws InvalidMessageException {
    Version.Request request = Version.Request.decode(payload);
    return new Answer(
        new Version.Reply(
            0,
            1,
            new Capabilities(8, 1 << 20, 128, 4096, Optional.empty(), false, Optional.empty())));
  }

  private Reaction regionInfo(Header header, ByteBuf payload) throws InvalidMessageException {
    int index = DeviceGetRegionInfo.Request.decode(payload).index();
    boolean isConfig = index == PciRegion.CONFIG;
    int flags = isConfig ? DeviceGetRegionInfo.READ | DeviceGetRegionInfo.WRITE : 0;
    return new Answer(
        DeviceGetRegionInfo.Reply.full(flags, index, isConfig ? config.length : 0, 0, List.of()));
  }

  private Reaction regionRead(Header header, ByteBuf payload) throws InvalidMessageException {
    RegionRead.Request request = RegionRead.Request.decode(payload);
    int from = Math.toIntExact(request.offset());
    byte[] data = Arrays.copyOfRange(config, from, from + request.count());
    return new Answer(
        new RegionRead.Reply(request.offset(), request.region(), Unpooled.wrappedBuffer(data)));
  }

  /** The feature's index, without what to do with it. */
  static int feature(ByteBuf payload) throws InvalidMessageException {
    return DeviceFeature.Request.decode(payload).flags() & DeviceFeature.INDEX_MASK;
  }

  private void serve() {
    while (!closed) {
      try {
        if (UnixSocket.awaitReadable(listening, LIMIT)) {
          Optional<FileDescriptor> client = UnixSocket.accept(listening);
          if (client.isPresent()) {
            converse(client.get());
          }
        }
      } catch (IOException e) {
        // The client has gone, or this is closed; the next one comes or the loop ends.
      } catch (InvalidMessageException e) {
        throw new AssertionError("the client sent nonsense", e);
      }
    }
  }

  private void converse(FileDescriptor client) throws IOException, InvalidMessageException {
    try (MessageSocket socket = new MessageSocket(client)) {
      while (!closed) {
        Frame request = socket.receive(LIMIT);
        try {
          Header header = request.header();
          Command command = header.knownCommand().orElseThrow();
          received.add(command);
          Script script;
          synchronized (scripts) {
            script = scripts.getOrDefault(command, (h, p) -> new Refusal(Errno.ENOTSUP));
          }
          if (!react(socket, header, script.react(header, request.payload()))) {
            return;
          }
        } finally {
          request.release();
        }
      }
    }
  }

  private static boolean react(MessageSocket socket, Header header, Reaction reaction)
      throws IOException {
    switch (reaction) {
      case Answer answer -> {
        FileDescriptor[] copies = new FileDescriptor[answer.descriptors().length];
        for (int i = 0; i < copies.length; i++) {
          copies[i] = answer.descriptors()[i].duplicate();
        }
        ByteBuf bytes = Frame.encode(answer.payload(), ByteBufAllocator.DEFAULT);
        socket.send(Frame.reply(header, bytes, Descriptors.of(copies)), LIMIT);
      }
      case Refusal refusal -> {
        ByteBuf bytes = Unpooled.buffer(Header.SIZE);
        new Header(
                header.id(),
                header.command(),
                Header.SIZE,
                Header.Type.REPLY,
                false,
                true,
                refusal.errno())
            .encode(bytes);
        socket.send(bytes, List.of(), LIMIT);
      }
      case Raw raw -> socket.send(raw.bytes().copy(), List.of(), LIMIT);
      case Silence silence -> {}
      case HangUp end -> {
        return false;
      }
    }
    return true;
  }

  @Override
  public void close() {
    closed = true;
    try {
      // Wakes the accepting thread; the conversing one ends with its client.
      UnixSocket.shutdown(listening, UnixSocket.Direction.BOTH);
      thread.join(LIMIT);
    } catch (LinuxException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    listening.close();
  }
}
