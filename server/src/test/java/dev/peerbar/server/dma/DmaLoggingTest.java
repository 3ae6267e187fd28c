package dev.peerbar.server.dma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceFeature.Feature;
import dev.peerbar.protocol.DmaLogging.Control;
import dev.peerbar.protocol.DmaLogging.Range;
import dev.peerbar.protocol.DmaLogging.Report;
import dev.peerbar.protocol.DmaLogging.ReportRequest;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.MessageSocket;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** DMA logging: what the device wrote, page by page. */
@Tag("polled")
@Timeout(120)
final class DmaLoggingTest {
  private static final long PAGE = GuestMemory.PAGE;
  private static final long IOVA = 0x4000_0000L;
  private static final int PAGES = 256;
  private static final int ARGSZ = 512 << 20;
  private static final long LONGEST = 8L << 40;
  private static final int LONGEST_BITMAP = 256 << 20;

  @TempDir private Path directory;
  private Wire wire;
  private VfioUserClient client;
  private HbmChannel channel;

  @BeforeEach
  void serve() throws Exception {
    wire = Wire.connected(directory);
    client = wire.client();
    channel = wire.channel(0);
    GuestMemory memory = wire.memory(PAGES * PAGE);
    client.dmaMap(Wire.READ_WRITE, 0, IOVA, PAGES * PAGE, Optional.of(memory.file()));
  }

  @AfterEach
  void stop() {
    wire.close();
  }

  private static DeviceFeature.Request request(Feature feature, int method, Payload data) {
    return new DeviceFeature.Request(ARGSZ, feature.index() | method, Wire.bytes(data));
  }

  private static DeviceFeature.Request stopRequest() {
    return new DeviceFeature.Request(
        ARGSZ, Feature.DMA_LOGGING_STOP.index() | DeviceFeature.SET, Unpooled.EMPTY_BUFFER);
  }

  private static DeviceFeature.Request startRequest(List<Range> ranges) {
    return request(Feature.DMA_LOGGING_START, DeviceFeature.SET, new Control(PAGE, ranges));
  }

  private static DeviceFeature.Request reportRequest(long iova, long length, long pageSize) {
    return request(
        Feature.DMA_LOGGING_REPORT, DeviceFeature.GET, new ReportRequest(iova, length, pageSize));
  }

  private ByteBuf does(DeviceFeature.Request request) throws IOException {
    DeviceFeature.Reply reply =
        client.deviceFeature(request.argsz(), request.flags(), request.data());
    assertThat(reply.flags()).isEqualTo(request.flags());
    return reply.data();
  }

  private void startLogging(Range... ranges) throws IOException {
    does(startRequest(List.of(ranges)));
  }

  private List<Integer> dirty(long iova, long length, long pageSize) throws Exception {
    Report report = Report.decode(does(reportRequest(iova, length, pageSize)));
    assertThat(report.iova()).isEqualTo(iova);
    assertThat(report.length()).isEqualTo(length);
    assertThat(report.pageSize()).isEqualTo(pageSize);
    byte[] bits = new byte[report.bitmap().readableBytes()];
    report.bitmap().readBytes(bits);
    return BitSet.valueOf(bits).stream().boxed().toList();
  }

  private List<Integer> dirty() throws Exception {
    return dirty(IOVA, PAGES * PAGE, PAGE);
  }

  private void refused(Errno errno, DeviceFeature.Request request) throws IOException {
    wire.refuses(errno, Command.DEVICE_FEATURE, request);
  }

  // What is logged.

  @Test
  void tellsEveryPageThatWasWrittenAndNoOther() throws Exception {
    startLogging();
    channel.run(Descriptor.fill(1, 2 * PAGE).to(IOVA + 3 * PAGE + 8).interrupt());
    channel.run(Descriptor.copy(PAGE).from(IOVA + 20 * PAGE).to(IOVA + 40 * PAGE).interrupt());
    channel.run(Descriptor.copy(PAGE).from(IOVA + 60 * PAGE).toLocal(0).interrupt());
    channel.run(Descriptor.copy(64).fromLocal(0).to(IOVA + 80 * PAGE).interrupt());
    assertThat(dirty()).containsExactly(3, 4, 5, 40, 80);
    assertThat(dirty()).as("a report is told once").isEmpty();
    channel.run(Descriptor.fill(1, 8).to(IOVA + 4 * PAGE).interrupt());
    assertThat(dirty()).containsExactly(4);
  }

  @Test
  void tellsCompletionRecordsToo() throws Exception {
    startLogging();
    channel.run(Descriptor.nop().recordAt(IOVA + 9 * PAGE).interrupt());
    assertThat(dirty()).containsExactly(9);
  }

  @Test
  void tellsNothingOfBeforeTheStartAndAfterTheStop() throws Exception {
    channel.run(Descriptor.fill(1, PAGE).to(IOVA).interrupt());
    startLogging();
    assertThat(dirty()).isEmpty();
    channel.run(Descriptor.fill(1, PAGE).to(IOVA).interrupt());
    does(stopRequest());
    refused(Errno.EINVAL, reportRequest(IOVA, PAGES * PAGE, PAGE));
    startLogging();
    assertThat(dirty()).isEmpty();
  }

  @Test
  void watchesTheRangesAskedFor() throws Exception {
    startLogging(new Range(IOVA + 8 * PAGE, PAGE), new Range(IOVA + 2 * PAGE, PAGE));
    channel.run(Descriptor.fill(1, PAGES * PAGE).to(IOVA).interrupt());
    assertThat(dirty()).containsExactly(2, 8);
  }

  @Test
  void reportsInLargerPagesAndPartsOfTheMemory() throws Exception {
    startLogging();
    channel.run(Descriptor.fill(1, 8).to(IOVA + 17 * PAGE).interrupt());
    channel.run(Descriptor.fill(1, 8).to(IOVA + 200 * PAGE).interrupt());
    assertThat(dirty(IOVA, 128 * PAGE, 16 * PAGE)).containsExactly(1);
    assertThat(dirty()).containsExactly(200);
  }

  @Test
  void staysWithTheDeviceThroughAReset() throws Exception {
    startLogging();
    channel.run(Descriptor.fill(1, 8).to(IOVA).interrupt());
    client.reset();
    assertThat(dirty()).containsExactly(0);
  }

  @Test
  void endsWithTheClient() throws Exception {
    startLogging();
    client.close();
    Wire.await(
        "the next client",
        () -> {
          try (VfioUserClient next = wire.connect()) {
            next.readInt(Wire.REGISTERS, Wire.ID);
            assertThat(wire.server().function().bus().dirtyLog()).isEmpty();
            return true;
          } catch (IOException e) {
            return false;
          }
        });
  }

  @Test
  void aStartSaysWhatItLogs() throws Exception {
    Control control =
        Control.decode(
            does(
                request(
                    Feature.DMA_LOGGING_START,
                    DeviceFeature.SET,
                    new Control(2 << 20, List.of(new Range(IOVA, PAGE))))));
    assertThat(control.pageSize()).isEqualTo(PAGE);
    assertThat(control.ranges()).containsExactly(new Range(IOVA, PAGE));
  }

  @Test
  void canBeProbed() throws Exception {
    for (Feature feature : List.of(Feature.DMA_LOGGING_START, Feature.DMA_LOGGING_STOP)) {
      client.deviceFeature(
          feature.index() | DeviceFeature.PROBE | DeviceFeature.SET, Unpooled.EMPTY_BUFFER);
    }
    client.deviceFeature(
        Feature.DMA_LOGGING_REPORT.index() | DeviceFeature.PROBE | DeviceFeature.GET,
        Unpooled.EMPTY_BUFFER);
  }

  @Test
  void stoppingTwiceIsFine() throws Exception {
    does(stopRequest());
    startLogging();
    does(stopRequest());
    does(stopRequest());
  }

  // Long bitmaps.

  @Test
  void aBitmapMayBeLongerThanTheDataOfAReadOrWrite() throws Exception {
    long high = 200L << 30;
    GuestMemory memory = wire.memory(PAGE);
    client.dmaMap(Wire.READ_WRITE, 0, high, PAGE, Optional.of(memory.file()));
    startLogging();
    channel.run(Descriptor.fill(1, 8).to(IOVA + 3 * PAGE).interrupt());
    channel.run(Descriptor.fill(1, 8).to(high).interrupt());
    assertThat(dirty(0, 256L << 30, PAGE))
        .containsExactly((int) (IOVA / PAGE) + 3, (int) (high / PAGE));
    assertThat(dirty(0, 256L << 30, PAGE)).isEmpty();
  }

  @Test
  void theLongestBitmapIsToldAndNoLongerOne() throws Exception {
    startLogging();
    channel.run(Descriptor.fill(1, 8).to(IOVA + 3 * PAGE).interrupt());
    refused(Errno.EINVAL, reportRequest(0, LONGEST + PAGE, PAGE));
    Frame reply =
        wire.ask(Command.DEVICE_FEATURE.code(), Wire.bytes(reportRequest(0, LONGEST, PAGE)));
    try {
      ByteBuf bitmap = Report.decode(DeviceFeature.Reply.decode(reply.payload()).data()).bitmap();
      assertThat(bitmap.readableBytes()).isEqualTo(LONGEST_BITMAP);
      long page = IOVA / PAGE + 3;
      int wordOfPage = (int) (page / Long.SIZE) * Long.BYTES;
      for (int at = 0; at < LONGEST_BITMAP; at += Long.BYTES) {
        if (bitmap.getLongLE(at) != (at == wordOfPage ? 1L << page % Long.SIZE : 0)) {
          throw new AssertionError("the word at %d of the bitmap".formatted(at));
        }
      }
    } finally {
      reply.release();
    }
    wire.works();
    assertThat(dirty()).as("told already").isEmpty();
  }

  /**
   * Replies that are not read fill the socket and one bitmap, and no more requests are looked at.
   */
  @Test
  void aClientThatReadsNoBitmapGetsOne() throws Exception {
    startLogging();
    client.close();
    FileDescriptor socket = UnixSocket.connect(wire.path(), Wire.LIMIT);
    try (MessageSocket silent = new MessageSocket(socket)) {
      ByteBuf version = Wire.bytes(new Version.Request(0, 1, Wire.capabilities()));
      silent.send(Wire.message(1, Command.VERSION.code(), 0, version), List.of(), Wire.LIMIT);
      silent.receive(Wire.LIMIT).release();
      silent.send(featureMessage(startRequest(List.of())), List.of(), Wire.LIMIT);
      silent.receive(Wire.LIMIT).release();
      // Threads that connect take some, which is kept for later ones.
      turnedAwayOften();
      long before = addressSpace();
      ByteBuf burst = Unpooled.buffer();
      for (int i = 0; i < 50; i++) {
        burst.writeBytes(featureMessage(reportRequest(0, LONGEST, PAGE)));
      }
      silent.send(burst, List.of(), Wire.LIMIT);
      Wire.await("a bitmap", () -> bitmapsSince(before) == 1);
      // Refused by the same thread, which has looked at all that it looks at.
      turnedAwayOften();
      assertThat(bitmapsSince(before)).isOne();
      silent.end();
      Wire.await("the bitmap's end", () -> bitmapsSince(before) == 0);
    }
  }

  private void turnedAwayOften() {
    for (int i = 0; i < 20; i++) {
      assertThatThrownBy(wire::connect).isInstanceOf(RemoteErrorException.class);
    }
  }

  /** The nearest number: the C library takes some for the threads of the JVM when it likes. */
  private static long bitmapsSince(long before) throws IOException {
    return Math.round((double) (addressSpace() - before) / LONGEST_BITMAP);
  }

  private static ByteBuf featureMessage(DeviceFeature.Request request) {
    return Wire.message(2, Command.DEVICE_FEATURE.code(), 0, Wire.bytes(request));
  }

  /** Of this process, in bytes. */
  private static long addressSpace() throws IOException {
    String pages = Files.readString(Path.of("/proc/self/statm")).split(" ")[0];
    return Long.parseLong(pages) * PAGE;
  }

  // What is refused.

  @Test
  void einvalToStartTwice() throws Exception {
    startLogging();
    channel.run(Descriptor.fill(1, 8).to(IOVA).interrupt());
    refused(Errno.EINVAL, startRequest(List.of()));
    assertThat(dirty()).as("nothing was forgotten").containsExactly(0);
  }

  @Test
  void einvalForRangesThatAreNoPages() throws Exception {
    refused(Errno.EINVAL, startRequest(List.of(new Range(IOVA + 1, PAGE))));
    refused(Errno.EINVAL, startRequest(List.of(new Range(IOVA, PAGE - 1))));
    refused(Errno.EINVAL, startRequest(List.of(new Range(IOVA, 0))));
  }

  @Test
  void einvalForRangesThatOverlap() throws Exception {
    refused(
        Errno.EINVAL,
        startRequest(List.of(new Range(IOVA, 4 * PAGE), new Range(IOVA + 3 * PAGE, PAGE))));
    refused(
        Errno.EINVAL,
        startRequest(List.of(new Range(IOVA + 3 * PAGE, PAGE), new Range(IOVA, 16 * PAGE))));
  }

  @Test
  void eoverflowForARangeThatWraps() throws Exception {
    refused(Errno.EOVERFLOW, startRequest(List.of(new Range(-PAGE, 2 * PAGE))));
    startLogging();
    refused(Errno.EOVERFLOW, reportRequest(-PAGE, 2 * PAGE, PAGE));
  }

  @Test
  void e2bigForTooManyRanges() throws Exception {
    refused(Errno.E2BIG, startRequest(Collections.nCopies(257, new Range(IOVA, PAGE))));
  }

  @Test
  void einvalForFewerRangesThanAnnounced() throws Exception {
    ByteBuf data = Wire.bytes(new Control(PAGE, List.of(new Range(IOVA, PAGE))));
    data.setIntLE(8, 2);
    refused(
        Errno.EINVAL,
        new DeviceFeature.Request(
            ARGSZ, Feature.DMA_LOGGING_START.index() | DeviceFeature.SET, data));
    data.setIntLE(8, -1);
    refused(
        Errno.EINVAL,
        new DeviceFeature.Request(
            ARGSZ, Feature.DMA_LOGGING_START.index() | DeviceFeature.SET, data));
  }

  @Test
  void einvalForABadReport() throws Exception {
    startLogging();
    channel.run(Descriptor.fill(1, 8).to(IOVA).interrupt());
    refused(Errno.EINVAL, reportRequest(IOVA, PAGE, PAGE / 2));
    refused(Errno.EINVAL, reportRequest(IOVA, PAGE, 3 * PAGE));
    refused(Errno.EINVAL, reportRequest(IOVA, PAGE, 0));
    refused(Errno.EINVAL, reportRequest(IOVA, PAGE, 1L << 63));
    refused(Errno.EINVAL, reportRequest(IOVA, 0, PAGE));
    refused(Errno.EINVAL, reportRequest(IOVA + 8, PAGE, PAGE));
    refused(Errno.EINVAL, reportRequest(0, Long.MAX_VALUE & -PAGE, PAGE));
    refused(Errno.EINVAL, reportRequest(0, -PAGE, PAGE));
    assertThat(dirty()).as("nothing was forgotten").containsExactly(0);
  }

  @Test
  void einvalIfTheBitmapHasNoRoom() throws Exception {
    startLogging();
    channel.run(Descriptor.fill(1, 8).to(IOVA).interrupt());
    ByteBuf data = Wire.bytes(new ReportRequest(IOVA, PAGES * PAGE, PAGE));
    int bitmap = PAGES / Byte.SIZE;
    refused(
        Errno.EINVAL,
        new DeviceFeature.Request(
            DeviceFeature.DATA + data.readableBytes() + bitmap - 1,
            Feature.DMA_LOGGING_REPORT.index() | DeviceFeature.GET,
            data));
    assertThat(dirty()).as("nothing was forgotten").containsExactly(0);
  }

  @Test
  void einvalForTheOtherMethod() throws Exception {
    refused(
        Errno.EINVAL,
        request(Feature.DMA_LOGGING_START, DeviceFeature.GET, new Control(PAGE, List.of())));
    refused(
        Errno.EINVAL,
        request(
            Feature.DMA_LOGGING_REPORT, DeviceFeature.SET, new ReportRequest(IOVA, PAGE, PAGE)));
  }
}
