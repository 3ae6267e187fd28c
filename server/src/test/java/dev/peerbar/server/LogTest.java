package dev.peerbar.server;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.EventDescriptor;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.OpenFiles;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.function.ServedFunction;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** What a server logs of its clients, and what they cannot make it log. */
@Timeout(120)
final class LogTest {
  private static final long PAGE = GuestMemory.PAGE;

  /** What may be logged of one function at once, at each of two levels, and some time for more. */
  private static final int MOST_LINES = 2 * 64 + 20;

  private final Lines lines = new Lines();
  private final Logger logger = (Logger) LoggerFactory.getLogger(ServedFunction.class);
  @TempDir private Path directory;
  private Wire wire;

  /** Everything that is logged of functions, as it would be printed. */
  private static final class Lines extends AppenderBase<ILoggingEvent> {
    private final List<String> all = new CopyOnWriteArrayList<>();

    @Override
    protected void append(ILoggingEvent event) {
      all.add(event.getLevel() + " " + event.getFormattedMessage());
    }
  }

  @BeforeEach
  void listen() {
    lines.start();
    logger.addAppender(lines);
    logger.setLevel(Level.INFO);
    logger.setAdditive(false);
  }

  @AfterEach
  void stop() {
    wire.close();
    logger.detachAppender(lines);
    logger.setLevel(null);
    logger.setAdditive(true);
  }

  private void logged(String line) throws Exception {
    Wire.await(line + " in " + lines.all, () -> lines.all.contains(line));
  }

  @Test
  void aRefusalNamesEndpointCommandAndErrno() throws Exception {
    wire = Wire.connected(directory);
    wire.refusal(
        Errno.EINVAL,
        Command.DMA_MAP.code(),
        Wire.bytes(new DmaMap.Request(Wire.READ_WRITE, 0, 0x1000, 0x1001)));
    logged("WARN hbm: DMA_MAP refused with EINVAL: 0x1000 + 0x1001: range not aligned to pages");
    wire.refusal(Errno.ENOSYS, 99, Unpooled.EMPTY_BUFFER);
    logged("WARN hbm: command 99 refused with ENOSYS: unknown command 99");
    wire.refusal(
        Errno.EINVAL, Command.REGION_READ.code(), Wire.bytes(new RegionRead.Request(0, 77, 4)));
    logged("WARN hbm: REGION_READ refused with EINVAL: region 77");
  }

  @Test
  void aRefusedDescriptorIsNamedByItsErrno() throws Exception {
    wire = Wire.connected(directory);
    FileDescriptor readOnly = wire.own(OpenFiles.readOnly(Path.of("/dev/null")));
    wire.refuses(
        Errno.ENODEV,
        Command.DMA_MAP,
        new DmaMap.Request(Wire.READ_WRITE, 0, 0x1000, PAGE),
        readOnly);
    assertThat(lines.all)
        .anyMatch(
            line -> line.startsWith("WARN hbm: DMA_MAP refused with ENODEV: 0x1000 + 0x1000: "));
  }

  @Test
  void descriptorsThatAreNotWantedAreNamedOnce() throws Exception {
    wire = Wire.connected(directory);
    FileDescriptor event = wire.own(EventDescriptor.create());
    for (int i = 0; i < 5; i++) {
      ByteBuf unmap = Wire.bytes(new DmaUnmap.Request(0x1000, PAGE));
      wire.ask(Command.DMA_UNMAP.code(), unmap, event, event).release();
      wire.ask(Command.DEVICE_RESET.code(), Unpooled.EMPTY_BUFFER, event).release();
    }
    assertThat(lines.all)
        .filteredOn(line -> line.contains("file descriptors"))
        .containsExactly(
            "INFO hbm: DMA_UNMAP with 2 file descriptors takes 0: the others are closed, from now"
                + " on silently",
            "INFO hbm: DEVICE_RESET with 1 file descriptors takes 0: the others are closed, from"
                + " now on silently");
  }

  @Test
  void lostFramingNamesTheCommand() throws Exception {
    wire = Wire.connected(directory);
    ByteBuf message = Wire.message(1, Command.REGION_READ.code(), 0, Unpooled.EMPTY_BUFFER);
    message.setIntLE(4, 5);
    wire.client().send(message);
    wire.closed();
    Wire.await(
        "the line",
        () ->
            lines.all.stream()
                .anyMatch(line ->
                    line.startsWith(
                        "WARN hbm: connection closed with EPROTO: REGION_READ of 5 bytes, ")));
    logged("INFO hbm: the client has gone");
  }

  @Test
  void whatTheClientRefusesNamesCommandAddressAndErrno() throws Exception {
    wire = Wire.connected(directory);
    wire.client().dmaMap(Wire.READ_WRITE, 0, 0x40000, PAGE, Optional.empty());
    HbmChannel channel = wire.channel(0);
    channel.run(Descriptor.fill(1, PAGE).to(0x40000).interrupt());
    logged("INFO hbm: DMA_WRITE of 0x40000 + 0x1000 refused with EFAULT by the client");
    channel.enable();
  }

  @Test
  void aReplyToNothingIsNamed() throws Exception {
    wire = Wire.connected(directory);
    final int reply = 1;
    wire.client().send(Wire.message(7, Command.DMA_READ.code(), reply, Unpooled.EMPTY_BUFFER));
    logged("WARN hbm: DMA_READ reply dropped with EPROTO: no request has the id 7");
  }

  private static ByteBuf version(String json) {
    ByteBuf payload = Unpooled.buffer();
    payload.writeShortLE(0).writeShortLE(1);
    payload.writeBytes(json.getBytes(StandardCharsets.UTF_8)).writeByte(0);
    return payload;
  }

  @Test
  void aClientControlsNeitherLinesNorTerminals() throws Exception {
    wire = Wire.silent(directory);
    for (String json :
        List.of(
            "{\"capabilities\": x\u001b\u0007\u009b31m}",
            "{\"capabilities\": \"\n WARN hbm: forged\"}",
            "{\"capabilities\": \u202eevil\u2028}",
            "\r\nforged",
            "{\"a\": x" + "y".repeat(4000) + "}",
            "{\"capabilities\": {\"max_msg_fds\": \"\u0000\"}}")) {
      wire.refusal(Errno.EINVAL, Command.VERSION.code(), version(json));
    }
    assertThat(lines.all).filteredOn(line -> line.contains("VERSION refused")).hasSize(6);
    assertThat(lines.all).anyMatch(line -> line.contains("\\u001b"));
    assertThat(lines.all).allMatch(line -> line.length() < 500);
    assertThat(lines.all)
        .allMatch(line ->
            line.codePoints()
                .noneMatch(c ->
                    Character.isISOControl(c)
                        || Character.getType(c) == Character.FORMAT
                        || Character.getType(c) == Character.LINE_SEPARATOR));
  }

  @Test
  void refusalsOfManyConnectionsAreBounded() throws Exception {
    wire = Wire.unconnected(directory);
    for (int i = 0; i < 200; i++) {
      try (VfioUserClient client = wire.connect()) {
        for (int j = 0; j < 5; j++) {
          client.send(Wire.message(0x9000 + j, 99, 0, Unpooled.EMPTY_BUFFER));
          client.receive().release();
        }
      }
    }
    assertThat(lines.all).hasSizeBetween(2 * 64, MOST_LINES);
  }

  @Test
  void resetsWithoutEndAreBounded() throws Exception {
    wire = Wire.connected(directory);
    for (int i = 0; i < 1000; i++) {
      wire.client().reset();
    }
    assertThat(lines.all).hasSizeBetween(64, MOST_LINES);
  }

  @Test
  void twoEndpointsAreToldApart() throws Exception {
    wire = Wire.connected(directory);
    Path path = directory.resolve("other.sock");
    try (EndpointServer other = Wire.serve("hbm1", path);
        VfioUserClient client = VfioUserClient.connect(path)) {
      client.send(Wire.message(1, 99, 0, Unpooled.EMPTY_BUFFER));
      client.receive().release();
      assertThat(other.function().name()).isEqualTo("hbm1");
    }
    logged("WARN hbm1: command 99 refused with ENOSYS: unknown command 99");
    assertThat(lines.all).noneMatch(line -> line.contains("hbm: command 99"));
  }
}
