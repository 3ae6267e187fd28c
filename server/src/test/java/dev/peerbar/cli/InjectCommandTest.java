package dev.peerbar.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.fixture.Serving;
import dev.peerbar.server.fixture.Wire;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/**
 * {@code peerbar inject} and the socket that it asks, by one who means well and one who does not.
 */
@Timeout(60)
final class InjectCommandTest {
  private static final int FAILED = 1;
  private static final int WRONG_USAGE = 2;
  private static final int ONES = -1;

  @TempDir private Path directory;
  private Path path;
  private Path inject;
  private EndpointServer server;
  private VfioUserClient client;

  private record Outcome(int status, String output, String errors) {}

  private static Endpoint endpoint() {
    return new HbmEndpoint(Wire.config(DoorbellMode.TRAP));
  }

  @BeforeEach
  void serve() throws Exception {
    path = directory.resolve("hbm.sock");
    inject = directory.resolve("hbm.sock.inject");
    server =
        EndpointServer.start(
            "hbm", endpoint(), new ListenAddress.AtPath(path), Serving.options().withInject(true));
    client = VfioUserClient.connect(path);
    client.setTimeout(Wire.LIMIT);
    client.negotiate(Wire.capabilities());
  }

  @AfterEach
  void stop() {
    client.close();
    server.close();
    assertThat(inject).doesNotExist();
  }

  private static Outcome run(String... arguments) {
    StringWriter output = new StringWriter();
    StringWriter errors = new StringWriter();
    CommandLine commandLine = Main.commandLine(arguments);
    commandLine.setOut(new PrintWriter(output, true)).setErr(new PrintWriter(errors, true));
    return new Outcome(commandLine.execute(arguments), output.toString(), errors.toString());
  }

  private Outcome inject(String... arguments) {
    List<String> all = new ArrayList<>(List.of("inject", path.toString()));
    all.addAll(List.of(arguments));
    return run(all.toArray(String[]::new));
  }

  private void answers(String lines, String... arguments) {
    Outcome outcome = inject(arguments);
    assertThat(outcome.errors()).isEmpty();
    assertThat(outcome.output()).isEqualTo(lines);
    assertThat(outcome.status()).isZero();
  }

  private void fails(String what, String... arguments) {
    Outcome outcome = run(arguments);
    assertThat(outcome.errors()).startsWith("peerbar: ").contains(what).hasLineCount(1);
    assertThat(outcome.status()).isEqualTo(FAILED);
  }

  private int id() throws IOException {
    return client.readInt(Wire.REGISTERS, Wire.ID);
  }

  @Test
  void aFaultIsInjectedListedAndCleared() throws Exception {
    answers("", "--list");
    answers("in force\n", "all-ones=bars");
    assertThat(id()).isEqualTo(ONES);
    answers("in force\n", "interrupts-lost", "--times=3", "--for=2m");
    answers("all-ones=bars\ninterrupts-lost\n", "--list");
    answers("cleared\n", "--clear");
    answers("", "--list");
    assertThat(id()).isEqualTo(Wire.ID_VALUE);
  }

  @Test
  void whatHappensOnceSaysWhatCameOfIt() {
    answers("refused by the endpoint: BUS_MASTER_DISABLED\n", "stray-write=0x1000");
    answers("shown in config space\n", "error=correctable");
  }

  @Test
  void onlyTheOwnerMayAsk() throws Exception {
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(inject)))
        .isEqualTo("rw-------");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "stick",
        "stuck --clear",
        "--clear --list",
        "--clear --for=1s",
        "--list --times=1",
        "stuck --for=soon",
        "stuck --for=",
        "interrupts-lost --times=x",
        "reset-takes",
        "reset-takes=never",
        "stuck stuck",
        "--what"
      })
  void wrongOptionsGetTheUsage(String line) {
    Outcome outcome = inject(line.isEmpty() ? new String[0] : line.split(" "));
    assertThat(outcome.errors()).contains("Usage: peerbar inject");
    assertThat(outcome.status()).isEqualTo(WRONG_USAGE);
    answers("", "--list");
  }

  @Test
  void helpHasEveryFault() {
    assertThat(run("inject", "--help").output())
        .contains("reset-takes=TIME|ever", "stuck[=ENGINE]", "unchecked-write=IOVA");
  }

  @Test
  void whatTheServerRefusesIsASentence() {
    fails("stuck has no number of times", "inject", path.toString(), "stuck", "--times=2");
    fails(
        "a fault happens once at least", "inject", path.toString(), "interrupts-lost", "--times=0");
    fails("a fault lasts up to 1 hour", "inject", path.toString(), "stuck", "--for=61m");
  }

  @Test
  void whereNobodyTakesFaultsThereIsAWayOut() throws Exception {
    Path other = directory.resolve("other.sock");
    fails("there is no " + other, "inject", other.toString(), "stuck");
    try (EndpointServer _ =
        EndpointServer.start("other", endpoint(), new ListenAddress.AtPath(other))) {
      fails(other + " was not started with --inject", "inject", other.toString(), "stuck");
    }
    Path stale = Files.createFile(directory.resolve("other.sock.inject"));
    fails("nobody listens at " + stale, "inject", other.toString(), "stuck");
  }

  @Test
  void anInheritedSocketHasNoPlaceForThem() {
    fails("serve at a path", "serve", "hbm", "--fd=0", "--inject");
  }

  private SocketChannel connect() throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(inject));
    return channel;
  }

  private static String answer(SocketChannel channel) throws IOException {
    ByteBuffer answer = ByteBuffer.allocate(1 << 16);
    while (channel.read(answer) >= 0) {
      assertThat(answer.hasRemaining()).isTrue();
    }
    return new String(answer.array(), 0, answer.position(), UTF_8);
  }

  private String ask(String line) throws IOException {
    try (SocketChannel channel = connect()) {
      channel.write(ByteBuffer.wrap(line.getBytes(UTF_8)));
      return answer(channel);
    }
  }

  @Test
  void aScriptCanAskByItself() throws Exception {
    assertThat(ask("{\"inject\": \"interrupts-late=1s\", \"for\": \"1m\", \"times\": 2}\n"))
        .isEqualTo("{\"done\":\"in force\"}\n");
    assertThat(ask("{\"list\":true}\nand what else comes"))
        .isEqualTo("{\"faults\":[\"interrupts-late=1000ms\"]}\n");
    assertThat(ask("{\"clear\":true}\n")).isEqualTo("{\"done\":\"cleared\"}\n");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "{}",
        "[]",
        "7",
        "{\"inject\":7}",
        "{\"inject\":\"stuck\",\"clear\":true}",
        "{\"list\":true,\"clear\":true}",
        "{\"clear\":true,\"for\":\"1s\"}",
        "{\"inject\":\"stuck\",\"for\":\"1h\"}",
        "{\"inject\":\"stuck\",\"times\":1.5}",
        "{\"inject\":\"stuck\",\"what\":1}",
        "{\"inject\":\"stuck\"} {}",
        "{\"inject\":\"stuck\"",
        "\u0000\u0001"
      })
  void whatIsNoRequestIsRefused(String line) throws Exception {
    assertThat(ask(line + "\n")).startsWith("{\"error\":\"").endsWith("\"}\n");
    answers("", "--list");
    assertThat(id()).isEqualTo(Wire.ID_VALUE);
  }

  @Test
  void aLineWithoutEndIsRefused() throws Exception {
    try (SocketChannel channel = connect()) {
      channel.write(ByteBuffer.wrap(new byte[5000]));
      assertThat(answer(channel)).contains("4096 bytes at most");
    }
    assertThat(ask("[".repeat(4000) + "\n")).contains("not a request");
  }

  @Test
  void whoSaysNothingKeepsFewOut() throws Exception {
    List<SocketChannel> silent = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      SocketChannel channel = connect();
      channel.write(ByteBuffer.wrap("{".getBytes(UTF_8)));
      silent.add(channel);
    }
    fails("others are asking", "inject", path.toString(), "--list");
    assertThat(id()).isEqualTo(Wire.ID_VALUE);
    for (SocketChannel channel : silent) {
      channel.close();
    }
    Wire.await("room", () -> inject("--list").status() == 0);
  }

  /** Without a look at the request, which may come before that or after it, or amid it. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void whatIsSaidOnHangingUpIsTold(boolean beforeTheRequest) throws Exception {
    Path asked = directory.resolve("other.sock");
    Path at = directory.resolve("other.sock.inject");
    Files.createFile(asked);
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(at));
      Thread hangsUp =
          Thread.ofPlatform()
              .start(() -> {
                try (SocketChannel client = server.accept()) {
                  if (!beforeTheRequest) {
                    client.read(ByteBuffer.allocate(1));
                  }
                  client.write(ByteBuffer.wrap("{\"error\":\"not now\"}\n".getBytes(UTF_8)));
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      fails("not now", "inject", asked.toString(), "--list");
      hangsUp.join();
    }
  }

  @Test
  void aStaleSocketIsReplacedAndAServedOneIsNot() throws Exception {
    assertThatThrownBy(() ->
            EndpointServer.start(
                "twin",
                endpoint(),
                new ListenAddress.AtPath(path),
                Serving.options().withInject(true)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is being served already");
    answers("", "--list");
  }
}
