package dev.peerbar.server.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.linux.Errno;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.server.events.MessageEvent;
import dev.peerbar.server.fixture.GuestMemory;
import dev.peerbar.server.fixture.Trace;
import dev.peerbar.server.fixture.Wire;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a trace file says of a session in this process. */
@Timeout(120)
final class TraceTest {
  private static final String REQUESTS = "requests";
  private static final String FUNCTION = "hbm";
  private static final long PAGE = GuestMemory.PAGE;
  private static final long SOURCE = 0x1_0000_0000L;
  private static final long TARGET = 0x2_0000_0000L;

  @TempDir private Path directory;
  private Path file;
  private TraceFile trace;
  private Wire wire;
  private VfioUserClient client;

  @BeforeEach
  void start() throws Exception {
    file = directory.resolve("trace.json");
    trace = TraceFile.open(file);
    wire = Wire.connected(directory);
    client = wire.client();
  }

  @AfterEach
  void stop() {
    if (wire != null) {
      wire.close();
    }
    trace.close();
  }

  private Trace traced() throws Exception {
    wire.close();
    wire = null;
    trace.close();
    return Trace.ended(file);
  }

  @Test
  void everyRequestIsOnTheTrackOfItsFunction() throws Exception {
    int reads = 3000;
    for (int i = 0; i < reads; i++) {
      client.readInt(Wire.REGISTERS, Wire.ID);
    }
    client.regionWritePosted(Wire.REGISTERS, Wire.SCRATCH, new byte[4]);
    wire.refusal(Errno.EINVAL, Command.DMA_MAP.code(), Unpooled.EMPTY_BUFFER);
    Trace seen = traced();
    assertThat(seen.processes()).containsExactly(FUNCTION);
    assertThat(seen.tracks(FUNCTION)).containsExactly(REQUESTS);
    List<JsonNode> events = seen.events(FUNCTION, REQUESTS, "REGION_READ");
    assertThat(events).hasSize(reads);
    assertThat(events.getFirst().get("args").get("bytes received").intValue()).isEqualTo(32);
    assertThat(events.getFirst().get("args").get("bytes sent").intValue()).isEqualTo(36);
    JsonNode posted = seen.events(FUNCTION, REQUESTS, "REGION_WRITE").getFirst();
    assertThat(posted.get("args").get("replied").booleanValue()).isFalse();
    JsonNode refused = seen.events(FUNCTION, REQUESTS, "DMA_MAP").getFirst();
    assertThat(refused.get("args").get("errno").textValue()).isEqualTo("EINVAL");
  }

  @Test
  void requestsWhoseRepliesGoTogetherDoNotOverlap() throws Exception {
    int burst = 50;
    ByteBuf all = Unpooled.buffer();
    for (int i = 0; i < burst; i++) {
      all.writeBytes(
          Wire.message(
              0xa000 + i,
              Command.REGION_READ.code(),
              0,
              Wire.bytes(new RegionRead.Request(0, Wire.MEMORY, 4096))));
    }
    for (int round = 0; round < 20; round++) {
      client.send(all.copy());
      for (int i = 0; i < burst; i++) {
        client.receive().release();
      }
    }
    assertThat(traced().events(FUNCTION, REQUESTS, "REGION_READ")).hasSize(20 * burst);
  }

  @Test
  void channelsHaveTracksAndTransfersTheirAddresses() throws Exception {
    GuestMemory memory = wire.memory(1 << 20);
    client.dmaMap(Wire.READ_WRITE, 0, SOURCE, 1 << 20, Optional.of(memory.file()));
    HbmChannel first = wire.channel(0);
    HbmChannel second = wire.channel(1);
    first.run(Descriptor.copy(1 << 20).from(SOURCE).toLocal(0).interrupt());
    second.run(Descriptor.copy(1 << 20).from(SOURCE + PAGE).toLocal(0).interrupt());
    Trace seen = traced();
    assertThat(seen.tracks(FUNCTION)).containsExactly("channel-0", "channel-1", REQUESTS);
    JsonNode read = seen.events(FUNCTION, "channel-0", "READ").getLast().get("args");
    assertThat(read.get("source").textValue()).isEqualTo("0x100000000");
    assertThat(read.get("bytes moved").intValue()).isEqualTo(1 << 20);
    assertThat(read.get("path").textValue()).isEqualTo("direct");
    assertThat(read.has("fault")).isFalse();
    JsonNode fault = seen.events(FUNCTION, "channel-1", "READ").getLast().get("args");
    assertThat(fault.get("fault").textValue()).isEqualTo("UNMAPPED");
    assertThat(fault.get("fault address").textValue()).isEqualTo("0x100100000");
    assertThat(fault.get("bytes moved").longValue()).isEqualTo((1 << 20) - PAGE);
    JsonNode interrupt = seen.events(FUNCTION, REQUESTS, "MSIX 1").getFirst();
    assertThat(interrupt.get("ph").textValue()).isEqualTo("i");
    assertThat(interrupt.get("args").get("outcome").textValue()).isEqualTo("DELIVERED");
  }

  @Test
  void messagesToTheClientMayOverlapAnything() throws Exception {
    long size = 4 << 20;
    client.memory().put(TARGET, Arena.ofAuto().allocate(size));
    client.dmaMap(Wire.READ_WRITE, 0, TARGET, size, Optional.empty());
    HbmChannel channel = wire.channel(0);
    channel.submit(Descriptor.fill(1, size).to(TARGET).interrupt());
    while (channel.head() != 1) {
      client.readInt(Wire.REGISTERS, Wire.STATUS);
    }
    Wire.idle(channel);
    Trace seen = traced();
    List<JsonNode> begins =
        seen.all("DMA_WRITE").filter(event -> event.get("ph").textValue().equals("b")).toList();
    assertThat(
            begins.stream()
                .mapToLong(event -> event.get("args").get("bytes sent").longValue() - 32)
                .sum())
        .isEqualTo(size);
    assertThat(begins)
        .anyMatch(event -> event.get("args").get("iova").textValue().equals("0x200000000"));
  }

  @Test
  void aResetLiesInsideTheRequestThatSetItOff() throws Exception {
    HbmChannel channel = wire.channel(0);
    channel.driver().device().reset();
    client.reset();
    Trace seen = traced();
    JsonNode level = seen.events(FUNCTION, REQUESTS, "reset FUNCTION_LEVEL").getFirst();
    assertThat(inside(level, seen.events(FUNCTION, REQUESTS, "REGION_WRITE"))).isTrue();
    JsonNode device = seen.events(FUNCTION, REQUESTS, "reset BUS_OR_DEVICE").getFirst();
    assertThat(inside(device, seen.events(FUNCTION, REQUESTS, "DEVICE_RESET"))).isTrue();
    assertThat(device.get("args").get("jobs ended").intValue()).isZero();
  }

  private static boolean inside(JsonNode inner, List<JsonNode> outer) {
    long begin = Trace.nanos(inner, "ts");
    long end = begin + Trace.nanos(inner, "dur");
    return outer.stream()
        .anyMatch(event ->
            Trace.nanos(event, "ts") <= begin
                && Trace.nanos(event, "ts") + Trace.nanos(event, "dur") >= end);
  }

  @Test
  void itCanBeReadWhileItIsWritten() throws Exception {
    for (int i = 0; i < 100; i++) {
      wire.works();
    }
    Wire.await(
        "the events",
        () -> Files.readString(file).lines().filter(l -> l.contains("REGION_READ")).count() >= 100);
    Trace.cutShort(file);
  }

  @Test
  void nothingIsTracedAfterTheEnd() throws Exception {
    assertThat(MessageEvent.enabled()).isTrue();
    trace.close();
    assertThat(MessageEvent.enabled()).isFalse();
    wire.works();
    assertThat(Trace.ended(file).all("REGION_READ")).isEmpty();
  }

  @Test
  void aDiskThatIsFullEndsTheTraceAndNothingElse() throws Exception {
    trace.close();
    try (TraceFile full = TraceFile.open(Path.of("/dev/full"))) {
      wire.works();
      Wire.await("the end of the trace", () -> !MessageEvent.enabled());
      wire.works();
      assertThat(full).isNotNull();
    }
    // There may be another one then.
    TraceFile.open(file).close();
    assertThat(Trace.ended(file).processes()).isEmpty();
  }

  @Test
  void thereIsOneTraceAtATime() {
    assertThatThrownBy(() -> TraceFile.open(directory.resolve("other.json")))
        .isInstanceOf(IllegalStateException.class);
  }
}
