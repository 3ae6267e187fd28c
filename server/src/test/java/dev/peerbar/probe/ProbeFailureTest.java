package dev.peerbar.probe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.probe.ScriptedServer.Answer;
import dev.peerbar.probe.ScriptedServer.HangUp;
import dev.peerbar.probe.ScriptedServer.Raw;
import dev.peerbar.probe.ScriptedServer.Reaction;
import dev.peerbar.probe.ScriptedServer.Refusal;
import dev.peerbar.probe.ScriptedServer.Silence;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What people are told who probe what cannot be probed: one sentence with the way out. */
@Tag("long")
@Timeout(120)
final class ProbeFailureTest {
  private static final byte[] CONFIG = new ConfigImage(256).array();

  @TempDir private Path directory;

  private Path socket() {
    return directory.resolve("s");
  }

  // Usage.

  @Test
  void wrongOptionsGetTheUsage() {
    Probe.run().isWrongUsage("--socket-path");
    Probe.run("--socket-path").isWrongUsage("--socket-path");
    Probe.run("--socket-path=a", "--colour").isWrongUsage("--colour");
    Probe.run("--socket-path=a", "b").isWrongUsage("b");
    Probe.run("--socket-path=a", "-xx").isWrongUsage("-xxxx");
    Probe.run("--socket-path=a", "-xxxxx").isWrongUsage("-xxxx");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "x", "", "3601", "NaN", "1e99"})
  void wrongTimesGetTheUsage(String seconds) {
    Probe.run("--socket-path=a", "--timeout=" + seconds).isWrongUsage("--timeout");
  }

  @Test
  void aListOfIdsThatIsNotThereIsNamed() {
    Probe.run("--socket-path=a", "-i", directory.resolve("none").toString())
        .fails("none", "leave -i out");
  }

  // Paths.

  @Test
  void aPathWithoutASocketIsNamed() throws Exception {
    Probe.of(socket()).fails("there is no " + socket(), "start the server first");
    Probe.of(directory.resolve("a/s").getParent().getParent()).fails("is a directory");
    Path file = Files.writeString(directory.resolve("file"), "data");
    Probe.of(file).fails("is a file", "give the path of a server's socket");
    Probe.of(directory.resolve("x".repeat(120))).fails("too long", "relative path");
  }

  @Test
  void aSocketThatNobodyListensAtIsNamed() throws Exception {
    UnixSocket.listen(socket(), UnixSocket.OWNER_ONLY, 1).close();
    Probe.of(socket()).fails("nobody listens at " + socket(), "start it again");
  }

  @Test
  void aSocketWithoutConnectionsIsNamed() throws Exception {
    try (FileDescriptor _ = DatagramSocketFile.create(socket())) {
      Probe.of(socket()).fails("is a socket, but not one that takes connections");
    }
    Probe.run("--socket-path=/dev/null").fails("/dev/null is no socket");
  }

  // Servers.

  @Test
  void aServerOfOursThatIsInUseIsNamed() throws Exception {
    HbmConfig config = new HbmConfig(1 << 20, 2, DoorbellMode.TRAP, false);
    try (EndpointServer _ =
            EndpointServer.start(
                "hbm", new HbmEndpoint(config), new ListenAddress.AtPath(socket()));
        VfioUserClient client = VfioUserClient.connect(socket())) {
      client.negotiate(Capabilities.DEFAULTS);
      Probe.of(socket()).fails(socket() + " is in use by another client", "end that one first");
      assertThat(client.deviceInfo().numRegions()).as("the other client").isEqualTo(9);
    }
  }

  @Test
  void aServerThatAcceptsNobodyIsNamed() throws Exception {
    try (FileDescriptor _ = UnixSocket.listen(socket(), UnixSocket.OWNER_ONLY, 1)) {
      Probe.of(socket(), "--timeout=0.3")
          .fails("did not answer VERSION in 0.3 s", "if another client is connected", "--timeout");
    }
  }

  private void fails(Command command, Reaction reaction, String... words) throws Exception {
    try (ScriptedServer server = ScriptedServer.start(socket(), CONFIG)) {
      server.on(command, reaction);
      Probe.of(socket()).fails(words);
    } finally {
      Files.delete(socket());
    }
  }

  /** Questions that every server has to answer, and those that probe can do without. */
  @ParameterizedTest
  @EnumSource(
      value = Command.class,
      names = {"VERSION", "DEVICE_GET_INFO", "REGION_READ"})
  void aRefusalIsNamed(Command command) throws Exception {
    String name = command == Command.REGION_READ ? "config space" : command.name();
    fails(command, new Refusal(Errno.EPERM), "refused " + name + " with EPERM", "its log");
    fails(command, new Refusal(9999), "refused " + name + " with error 9999");
    fails(command, new Refusal(0), "refused " + name);
  }

  @ParameterizedTest
  @EnumSource(
      value = Command.class,
      names = {
        "VERSION",
        "DEVICE_GET_INFO",
        "DEVICE_GET_REGION_INFO",
        "DEVICE_GET_IRQ_INFO",
        "REGION_READ"
      })
  void anEndOrASilenceIsNamed(Command command) throws Exception {
    fails(command, new HangUp(), "closed the connection", "its log");
    try (ScriptedServer server = ScriptedServer.start(socket(), CONFIG)) {
      server.on(command, new Silence());
      Probe.of(socket(), "--timeout=2").fails("did not answer", "in 2 s", "--timeout");
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Command.class,
      names = {
        "VERSION",
        "DEVICE_GET_INFO",
        "DEVICE_GET_REGION_INFO",
        "DEVICE_GET_IRQ_INFO",
        "REGION_READ"
      })
  void nonsenseIsNamed(Command command) throws Exception {
    ByteBuf text =
        Unpooled.copiedBuffer("HTTP/1.1 400 Bad Request\r\n\r\n", StandardCharsets.UTF_8);
    fails(command, new Raw(text), "gave no valid answer", " bytes");
    ByteBuf huge = header(0, 0x7fff_ffff);
    fails(command, new Raw(huge), "gave no valid answer", "of 2147483647 bytes");
    fails(command, new Raw(header(0, 3)), "gave no valid answer", "of 3 bytes");
    fails(command, new Raw(header(0x4242, Header.SIZE)), "a reply to no request");
    fails(command, new Answer(new Bytes(1)), "gave no valid answer");
  }

  /** A reply's header. */
  private static ByteBuf header(int id, int size) {
    return Unpooled.buffer()
        .writeShortLE(id)
        .writeShortLE(1)
        .writeIntLE(size)
        .writeIntLE(1)
        .writeIntLE(0);
  }

  /** A payload of so many bytes, all ones. */
  private record Bytes(int encodedSize) implements Payload {
    @Override
    public void encode(ByteBuf out) {
      for (int i = 0; i < encodedSize; i++) {
        out.writeByte(0xff);
      }
    }
  }

  @Test
  void aServerOfAnotherKindIsNamed() throws Exception {
    fails(
        Command.VERSION,
        new Answer(new Version.Reply(1, 0, Capabilities.DEFAULTS)),
        "it speaks version 1");
    fails(
        Command.DEVICE_GET_INFO,
        new Answer(new DeviceGetInfo.Reply(0, 1, 0)),
        "it is no PCI device (flags 0x0)");
    fails(
        Command.DEVICE_GET_INFO,
        new Answer(new DeviceGetInfo.Reply(DeviceGetInfo.PCI, 3, 0)),
        "config space",
        "its size is 0 bytes");
  }

  @Test
  void aVersionWithoutSenseIsNamed() throws Exception {
    fails(
        Command.VERSION,
        new Answer(new Json("{\"capabilities\":{\"max_msg_fds\":\"\\u0007many\\n\"}}")),
        "max_msg_fds is no natural number");
    fails(Command.VERSION, new Answer(new Json("{")), "gave no valid answer to VERSION");
    Capabilities twin =
        new Capabilities(
            1,
            1,
            1,
            1,
            Optional.of(new Capabilities.TwinSocket(true, OptionalInt.of(3))),
            false,
            Optional.empty());
    fails(
        Command.VERSION,
        new Answer(new Version.Reply(0, 1, twin)),
        "twin socket without a descriptor");
  }

  private record Json(String text) implements Payload {
    @Override
    public int encodedSize() {
      return 4 + text.length();
    }

    @Override
    public void encode(ByteBuf out) {
      out.writeIntLE(1 << 16);
      out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
    }
  }

  @Test
  void aReadOfAnotherLengthIsNamed() throws Exception {
    fails(
        Command.REGION_READ,
        new Answer(new RegionRead.Reply(0, 7, Unpooled.wrappedBuffer(new byte[3]))),
        "config space",
        "a read of 256 bytes was answered with 3");
  }

  @Test
  void aRegionOfAnotherIndexIsNamed() throws Exception {
    fails(
        Command.DEVICE_GET_REGION_INFO,
        new Answer(new DeviceGetRegionInfo.Reply(32, 3, 77, 4096, 0, List.of())),
        "it answered for region 77");
  }

  // What is out of the ordinary, and yet a device.

  @Test
  void absurdNumbersAreShownAsTheyAre() throws Exception {
    try (ScriptedServer server = ScriptedServer.start(socket(), CONFIG)) {
      server
          .on(
              Command.DEVICE_GET_INFO,
              new Answer(new DeviceGetInfo.Reply(DeviceGetInfo.PCI, -1, -1)))
          .on(
              Command.DEVICE_GET_REGION_INFO,
              (header, payload) -> {
                int index = DeviceGetRegionInfo.Request.decode(payload).index();
                return new Answer(new DeviceGetRegionInfo.Reply(-1, -1, index, -1, -1, List.of()));
              })
          .on(Command.REGION_READ, (header, payload) -> ones(payload));
      String report = Probe.of(socket(), "-x").report();
      assertThat(report)
          .contains("4294967295 regions, 4294967295 IRQ types")
          .contains("[size=18446744073709551615] [trapped]")
          .contains("ff0: ff ff");
      assertThat(Probe.of(socket(), "--json").json().at("/regions/0/size").bigIntegerValue())
          .isEqualTo("18446744073709551615");
    }
  }

  private static Reaction ones(ByteBuf payload) throws InvalidMessageException {
    RegionRead.Request request = RegionRead.Request.decode(payload);
    byte[] data = new byte[request.count()];
    Arrays.fill(data, (byte) 0xff);
    return new Answer(
        new RegionRead.Reply(request.offset(), request.region(), Unpooled.wrappedBuffer(data)));
  }

  @Test
  void chainsThatLoopOrLeaveConfigSpaceEnd() throws Exception {
    ConfigImage loop = new ConfigImage(4096).capabilities(0x40).capability(0x40, 0x10, 0x40);
    loop.extended(0x100, 0x03, 1, 0x200).extended(0x200, 0x03, 1, 0x100);
    assertThat(capabilities(loop))
        .contains(
            "[40] <chain looped>", "[200 v1] Device Serial Number", "[100 v1] <chain looped>");
    ConfigImage broken = new ConfigImage(256).capabilities(0xfc).capability(0xfc, 0xff, 0xfc);
    assertThat(capabilities(broken)).contains("[fc] <chain broken>");
    ConfigImage small = new ConfigImage(64).capabilities(0x40);
    assertThat(capabilities(small)).contains("[40] <outside of config space>");
    for (int id = 0; id < 256; id++) {
      ConfigImage edge = new ConfigImage(256).capabilities(0xfc).capability(0xfc, id, 0);
      assertThat(capabilities(edge)).contains("Capabilities: [fc] ");
      ConfigImage last = new ConfigImage(4096).capabilities(0x40).capability(0x40, 0x10, 0);
      last.extended(0x100, 0x0b, 1, 0xffc).extended(0xffc, id, 15, 0);
      assertThat(capabilities(last)).contains("[ffc v15] ");
    }
  }

  private static String capabilities(ConfigImage image) {
    StringBuilder text = new StringBuilder();
    for (Capability capability : CapabilityChain.decode(new ConfigBytes(image.array()), true)) {
      text.append("Capabilities: [")
          .append(Integer.toHexString(capability.offset()))
          .append(capability.extended() ? " v" + capability.version().getAsInt() : "")
          .append("] ")
          .append(capability.title().text())
          .append('\n');
    }
    return text.toString();
  }

  /** Servers that end the connection at questions they do not know have answered the others. */
  @ParameterizedTest
  @ValueSource(strings = {"DEVICE_FEATURE", "DEVICE_GET_REGION_IO_FDS"})
  void anEndAtAQuestionOfLaterVersionsIsOnlyAWarning(String command) throws Exception {
    try (FullDevice device = new FullDevice(socket())) {
      device.server().on(Command.valueOf(command), new HangUp());
      Probe.Outcome outcome = Probe.of(socket());
      assertThat(outcome.status()).isZero();
      assertThat(outcome.errors())
          .startsWith("peerbar: the server closed the connection when it was asked for " + command)
          .hasLineCount(1);
      assertThat(outcome.out()).contains("vfio-user: version 0.1").doesNotContain("Features");
    }
  }

  @Test
  void refusedQuestionsAreLeftOut() throws Exception {
    try (FullDevice device = new FullDevice(socket())) {
      device
          .server()
          .on(Command.DEVICE_FEATURE, new Refusal(Errno.ENOTTY))
          .on(Command.DEVICE_GET_IRQ_INFO, new Refusal(Errno.EINVAL))
          .on(Command.DEVICE_GET_REGION_IO_FDS, new Refusal(Errno.ENOTSUP));
      assertThat(Probe.of(socket()).report())
          .contains("\tFeatures: Migration- DMALogging-\n")
          .doesNotContain("\tIRQ ")
          .doesNotContain("ioeventfd");
    }
  }
}
