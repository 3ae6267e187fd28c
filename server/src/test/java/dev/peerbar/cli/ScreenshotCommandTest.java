package dev.peerbar.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.endpoint.Endpoint;
import dev.peerbar.endpoint.Host;
import dev.peerbar.endpoint.Picture;
import dev.peerbar.endpoint.Screenshots;
import dev.peerbar.pci.AccessWidth;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.pci.PciFunction;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.server.EndpointServer;
import dev.peerbar.server.ListenAddress;
import dev.peerbar.server.fixture.Wire;
import java.awt.image.BufferedImage;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** {@code peerbar screenshot}, and the socket that it asks. */
@Timeout(60)
final class ScreenshotCommandTest {
  private static final int OPAQUE = 0xff << 24;

  @TempDir private Path directory;
  private Path socket;
  private Path file;
  private EndpointServer server;
  private volatile Optional<Picture> shown = Optional.of(picture(67, 45));

  private final StringWriter errors = new StringWriter();

  private static Picture picture(int width, int height) {
    return new Picture(
        width, height, new Random(width).ints(width * height).map(rgb -> rgb | OPAQUE).toArray());
  }

  /** Two outputs, of which the second shows something. */
  private final class Showing implements Endpoint, Screenshots {
    private final Endpoint rest = new HbmEndpoint(Wire.config(DoorbellMode.TRAP));

    @Override
    public int outputs() {
      return 2;
    }

    @Override
    public Optional<Picture> screenshot(int output) {
      return output == 1 ? shown : Optional.empty();
    }

    @Override
    public Optional<Screenshots> screenshots() {
      return Optional.of(this);
    }

    @Override
    public PciFunction function() {
      return rest.function();
    }

    @Override
    public void start(Host host) {
      rest.start(host);
    }

    @Override
    public long read(int bar, long offset, AccessWidth width) {
      return rest.read(bar, offset, width);
    }

    @Override
    public void write(int bar, long offset, AccessWidth width, long value) {
      rest.write(bar, offset, width, value);
    }

    @Override
    public void reset(ResetKind kind) {
      rest.reset(kind);
    }
  }

  @BeforeEach
  void serve() throws Exception {
    socket = directory.resolve("gpu.sock");
    file = directory.resolve("out.png");
    server = EndpointServer.start("gpu", new Showing(), new ListenAddress.AtPath(socket));
  }

  @AfterEach
  void stop() {
    server.close();
    assertThat(directory.resolve("gpu.sock.screenshot")).doesNotExist();
  }

  private int run(String... arguments) {
    CommandLine commandLine = Main.commandLine(arguments);
    commandLine.setOut(new PrintWriter(new StringWriter())).setErr(new PrintWriter(errors, true));
    return commandLine.execute(arguments);
  }

  private int screenshot(String output) {
    return run("screenshot", socket.toString(), file.toString(), "--output=" + output);
  }

  @Test
  void aFileIsThePicturePixelByPixel() throws Exception {
    assertThat(screenshot("1")).as(errors.toString()).isZero();
    BufferedImage image = ImageIO.read(file.toFile());
    Picture picture = shown.orElseThrow();
    assertThat(image.getWidth()).isEqualTo(67);
    assertThat(image.getHeight()).isEqualTo(45);
    assertThat(image.getRGB(0, 0, 67, 45, null, 0, 67)).containsExactly(picture.argb());
  }

  @Test
  void itMayBeAsLargeAsAnOutput() throws Exception {
    shown = Optional.of(picture(4095, 1024));
    assertThat(screenshot("1")).as(errors.toString()).isZero();
    assertThat(ImageIO.read(file.toFile()).getWidth()).isEqualTo(4095);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 | 1 | output 0 shows nothing: its driver has not set a mode",
        "2 | 1 | there is no output 2; there are 2, from 0",
        "-1 | 2 | --output takes a number from 0, not -1",
        "one | 2 | Invalid value for option '--output': 'one' is not an int",
      })
  void whatThereIsNotIsSaid(String output, int status, String sentence) {
    assertThat(screenshot(output)).isEqualTo(status);
    assertThat(errors.toString()).contains(sentence);
    assertThat(file).doesNotExist();
  }

  @Test
  void anEndpointWithoutOutputsIsSaidToBeOne() throws Exception {
    Path other = directory.resolve("hbm.sock");
    try (EndpointServer _ =
        EndpointServer.start(
            "hbm",
            new HbmEndpoint(Wire.config(DoorbellMode.TRAP)),
            new ListenAddress.AtPath(other))) {
      assertThat(run("screenshot", other.toString(), file.toString())).isEqualTo(1);
      assertThat(errors.toString()).contains(other + " has no outputs: a gpu has");
    }
    assertThat(run("screenshot", other.toString(), file.toString())).isEqualTo(1);
    assertThat(errors.toString()).contains("there is no " + other);
  }

  @Test
  void aFileThatCannotBeWrittenIsAnError() {
    Path nowhere = directory.resolve("none").resolve("out.png");
    assertThat(run("screenshot", socket.toString(), nowhere.toString(), "--output=1")).isEqualTo(1);
    assertThat(errors.toString()).contains(nowhere + " cannot be written");
  }

  @Test
  void theSocketIsItsOwnersAlone() throws Exception {
    assertThat(Files.getPosixFilePermissions(directory.resolve("gpu.sock.screenshot")))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "1 1", "99999999999", "-1", "{\"output\": 1}"})
  void whateverIsAskedIsAnswered(String line) throws Exception {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(directory.resolve("gpu.sock.screenshot")));
      channel.write(ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8)));
      ByteBuffer answer = ByteBuffer.allocate(4096);
      while (channel.read(answer) >= 0) {
        assertThat(answer.hasRemaining()).isTrue();
      }
      assertThat(new String(answer.array(), 0, answer.position(), StandardCharsets.UTF_8))
          .matches("(ask for an output by its number|there is no output -1.*)\n");
    }
    assertThat(screenshot("1")).isZero();
  }
}
