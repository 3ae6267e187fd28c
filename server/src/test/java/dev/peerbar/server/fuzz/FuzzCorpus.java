package dev.peerbar.server.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peerbar.devices.hbm.Descriptor;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.DeviceReset;
import dev.peerbar.protocol.DeviceSetIrqs;
import dev.peerbar.protocol.DmaLogging;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaRead;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.DmaWrite;
import dev.peerbar.protocol.MigDataRead;
import dev.peerbar.protocol.MigDataWrite;
import dev.peerbar.protocol.MigrationState;
import dev.peerbar.protocol.Payload;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.RegionCapability;
import dev.peerbar.protocol.RegionRead;
import dev.peerbar.protocol.RegionWrite;
import dev.peerbar.protocol.RegionWriteMulti;
import dev.peerbar.protocol.Version;
import dev.peerbar.server.fixture.Wire;
import dev.peerbar.server.fuzz.FuzzScript.Action;
import dev.peerbar.server.fuzz.FuzzScript.Answer;
import dev.peerbar.server.fuzz.FuzzScript.Kind;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Stream;

/**
 * Inputs that the fuzzers begin with, made of real messages, and what fuzzing has found. They are
 * files in {@code src/test/resources/fuzz}; with {@code -Dfuzz.write=true} the ones made here are
 * written there.
 */
final class FuzzCorpus {
  private static final Path SOURCES = Path.of("src/test/resources/fuzz");
  private static final int WHOLE = 0xff;

  private FuzzCorpus() {}

  /** The folder of a target's inputs. */
  static Path folder(String target) {
    try {
      return Path.of(FuzzCorpus.class.getResource("/fuzz/" + target).toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  static List<Path> inputs(String target) throws IOException {
    try (Stream<Path> files = Files.list(folder(target))) {
      return files.sorted().toList();
    }
  }

  /** The files are what is made here, and maybe more. */
  static void holds(String target, Map<String, byte[]> made) throws IOException {
    for (Map.Entry<String, byte[]> input : made.entrySet()) {
      if (Boolean.getBoolean("fuzz.write")) {
        Files.createDirectories(SOURCES.resolve(target));
        Files.write(SOURCES.resolve(target).resolve(input.getKey()), input.getValue());
      } else {
        assertThat(folder(target).resolve(input.getKey()))
            .as("an input that -Dfuzz.write=true writes anew")
            .hasBinaryContent(input.getValue());
      }
    }
  }

  /** For {@link CodecFuzzer}. */
  static Map<String, byte[]> codec() {
    Map<String, byte[]> inputs = new LinkedHashMap<>();
    requests().forEach((name, request) -> inputs.put(name, stream(request)));
    inputs.put(
        "region-info-reply",
        stream(
            new Message(
                Command.DEVICE_GET_REGION_INFO,
                DeviceGetRegionInfo.Reply.full(
                    7,
                    0,
                    1 << 16,
                    0,
                    List.of(
                        new RegionCapability.SparseMmap(
                            List.of(new RegionCapability.SparseMmap.Area(0x8000, 4096))))))));
    inputs.put(
        "version-everything",
        stream(
            new Message(
                Command.VERSION,
                new Version.Reply(
                    0,
                    1,
                    new Capabilities(
                        16,
                        1 << 20,
                        65535,
                        4096,
                        Optional.of(new Capabilities.TwinSocket(true, OptionalInt.of(0))),
                        true,
                        Optional.of(Capabilities.Migration.DEFAULTS))))));
    inputs.put("version-nested-json", json("[".repeat(3000)));
    inputs.put("version-large-number", json("{\"capabilities\":{\"max_msg_fds\":1e999999999}}"));
    inputs.put(
        "version-wrong-types", json("{\"capabilities\":{\"twin_socket\":[],\"pgsizes\":-1}}"));
    inputs.put(
        "migration-state",
        stream(
            new Message(
                Command.DEVICE_FEATURE, new MigrationState(MigrationState.State.RUNNING, -1))));
    inputs.put(
        "dma-logging",
        stream(
            new Message(
                Command.DEVICE_FEATURE,
                new DmaLogging.Control(4096, List.of(new DmaLogging.Range(0, 1 << 30))))));
    ByteBuf lie = Wire.message(1, Command.REGION_WRITE.code(), 0, Unpooled.EMPTY_BUFFER);
    lie.setIntLE(4, 1 << 20);
    inputs.put("size-without-bytes", ByteBufUtil.getBytes(Unpooled.wrappedBuffer(piece(3), lie)));
    ByteBuf all = Unpooled.buffer().writeByte(7);
    requests().values().forEach(request -> all.writeBytes(request.bytes()));
    inputs.put("all-in-pieces", ByteBufUtil.getBytes(all));
    return inputs;
  }

  private record Message(Command command, Payload payload) {
    ByteBuf bytes() {
      return Wire.message(1, command.code(), 0, Wire.bytes(payload));
    }
  }

  private static ByteBuf piece(int length) {
    return Unpooled.buffer().writeByte(length - 1);
  }

  private static byte[] stream(Message message) {
    return ByteBufUtil.getBytes(Unpooled.wrappedBuffer(piece(WHOLE + 1), message.bytes()));
  }

  private static byte[] json(String json) {
    ByteBuf payload = Unpooled.buffer().writeShortLE(0).writeShortLE(1);
    payload.writeBytes(json.getBytes(StandardCharsets.UTF_8)).writeByte(0);
    ByteBuf message = Wire.message(1, Command.VERSION.code(), 0, payload);
    return ByteBufUtil.getBytes(Unpooled.wrappedBuffer(piece(WHOLE + 1), message));
  }

  /** One whole message of each kind. */
  static List<byte[]> messages() {
    return requests().values().stream()
        .map(request -> ByteBufUtil.getBytes(request.bytes()))
        .toList();
  }

  private static Map<String, Message> requests() {
    ByteBuf data = Unpooled.buffer().writeLongLE(0x1122_3344_5566_7788L);
    Map<String, Message> all = new LinkedHashMap<>();
    all.put(
        "version", new Message(Command.VERSION, new Version.Request(0, 1, Wire.capabilities())));
    all.put("dma-map", new Message(Command.DMA_MAP, new DmaMap.Request(3, 0, 1 << 20, 4096)));
    all.put("dma-unmap", new Message(Command.DMA_UNMAP, new DmaUnmap.Request(1 << 20, 4096)));
    all.put("device-info", new Message(Command.DEVICE_GET_INFO, new DeviceGetInfo.Request()));
    all.put(
        "region-info",
        new Message(Command.DEVICE_GET_REGION_INFO, new DeviceGetRegionInfo.Request(64, 2)));
    all.put(
        "region-io-fds",
        new Message(
            Command.DEVICE_GET_REGION_IO_FDS, new DeviceGetRegionIoFds.Request(64, 0, 0, 0)));
    all.put("irq-info", new Message(Command.DEVICE_GET_IRQ_INFO, new DeviceGetIrqInfo.Request(2)));
    all.put(
        "set-irqs",
        new Message(
            Command.DEVICE_SET_IRQS,
            new DeviceSetIrqs.Request(
                DeviceSetIrqs.DATA_BOOL | DeviceSetIrqs.ACTION_TRIGGER,
                PciIrq.MSIX,
                0,
                1,
                Unpooled.buffer().writeByte(1))));
    all.put("region-read", new Message(Command.REGION_READ, new RegionRead.Request(0, 0, 4)));
    all.put("region-write", new Message(Command.REGION_WRITE, new RegionWrite.Request(0, 2, data)));
    all.put("dma-read", new Message(Command.DMA_READ, new DmaRead.Request(1 << 20, 4096)));
    all.put("dma-write", new Message(Command.DMA_WRITE, new DmaWrite.Request(1 << 20, data)));
    all.put("device-reset", new Message(Command.DEVICE_RESET, new DeviceReset.Request()));
    all.put(
        "write-multi",
        new Message(
            Command.REGION_WRITE_MULTI,
            new RegionWriteMulti.Request(
                List.of(
                    new RegionWriteMulti.Write(Wire.SCRATCH, 0, 4, 1),
                    new RegionWriteMulti.Write(0, 2, 8, -1)))));
    all.put(
        "feature",
        new Message(
            Command.DEVICE_FEATURE, new DeviceFeature.Request(64, 1 << 16 | 1, Unpooled.buffer())));
    all.put("migration-read", new Message(Command.MIG_DATA_READ, new MigDataRead.Request(64, 16)));
    all.put("migration-write", new Message(Command.MIG_DATA_WRITE, new MigDataWrite.Request(data)));
    return all;
  }

  /** For {@link SessionFuzzer}. */
  static Map<String, byte[]> session() {
    Map<String, byte[]> inputs = new LinkedHashMap<>();
    requests()
        .forEach((name, request) ->
            inputs.put(name, new FuzzScript().message(request.command, request.payload).toBytes()));
    FuzzScript everything = new FuzzScript();
    requests().values().forEach(request -> everything.message(request.command, request.payload));
    inputs.put("everything-at-once", everything.toBytes());
    FuzzScript descriptors = new FuzzScript();
    for (Kind kind : Kind.values()) {
      descriptors.message(
          Command.DMA_MAP, new DmaMap.Request(3, 0, (kind.ordinal() + 1L) << 20, 4096), kind);
    }
    inputs.put("maps-of-every-kind", descriptors.toBytes());
    FuzzScript misplaced = new FuzzScript();
    for (Kind kind : Kind.values()) {
      misplaced.message(Command.REGION_READ, new RegionRead.Request(0, 0, 4), kind);
    }
    inputs.put("descriptors-where-none-belong", misplaced.toBytes());
    inputs.put(
        "too-many-descriptors",
        new FuzzScript()
            .message(Command.DEVICE_RESET, new DeviceReset.Request(), kinds(253))
            .message(Command.DMA_MAP, new DmaMap.Request(3, 0, 1 << 20, 4096), kinds(17))
            .toBytes());
    inputs.put(
        "events",
        new FuzzScript()
            .message(Command.DEVICE_SET_IRQS, events(2), Kind.EVENT, Kind.EVENT)
            .message(Command.DEVICE_SET_IRQS, events(2), Kind.EVENT, Kind.PIPE)
            .message(Command.DEVICE_SET_IRQS, events(2), Kind.SOCKET)
            .posted(Command.DEVICE_SET_IRQS, events(1), Kind.EVENT)
            .toBytes());
    inputs.put(
        "sizes-that-lie",
        new FuzzScript()
            .lie(64, Command.REGION_READ, new RegionRead.Request(0, 0, 4))
            .message(Command.REGION_READ, new RegionRead.Request(0, 0, 4))
            .lie(15, Command.REGION_READ, new RegionRead.Request(0, 0, 4))
            .again(true)
            .lie(Integer.MAX_VALUE, Command.DMA_MAP, new DmaMap.Request(3, 0, 0, 0), Kind.SEALED)
            .again(true)
            .lie((1 << 20) + 4096, Command.DMA_MAP, new DmaMap.Request(3, 0, 0, 0), Kind.SEALED)
            .toBytes());
    inputs.put(
        "pieces",
        new FuzzScript()
            .pieces(5, Command.DMA_MAP, new DmaMap.Request(3, 0, 1 << 20, 4096), Kind.SEALED)
            .pieces(20, Command.REGION_READ, new RegionRead.Request(0, 7, 64))
            .step(Action.HALF_CLOSE)
            .toBytes());
    inputs.put(
        "before-the-version",
        new FuzzScript()
            .again(false)
            .message(Command.DMA_MAP, new DmaMap.Request(3, 0, 1 << 20, 4096), Kind.SEALED)
            .message(Command.VERSION, new Version.Request(1, 0, Capabilities.DEFAULTS))
            .message(Command.VERSION, new Version.Request(0, 9, Capabilities.DEFAULTS))
            .raw(Unpooled.buffer().writeZero(16))
            .toBytes());
    inputs.put("posted-refusals", postedRefusals());
    inputs.put("ranges-at-the-edges", ranges());
    for (Answer answer : Answer.values()) {
      inputs.put(
          "messages-answered-" + answer.name().toLowerCase(Locale.ROOT).replace('_', '-'),
          transfer(answer, Kind.UNSEALED));
    }
    inputs.put("copies", transfer(Answer.RIGHT, Kind.SEALED));
    return inputs;
  }

  private static Kind[] kinds(int count) {
    Kind[] all = new Kind[count];
    Arrays.fill(all, Kind.SEALED);
    return all;
  }

  private static DeviceSetIrqs.Request events(int count) {
    return new DeviceSetIrqs.Request(
        DeviceSetIrqs.DATA_EVENTFD | DeviceSetIrqs.ACTION_TRIGGER,
        PciIrq.MSIX,
        0,
        count,
        Unpooled.EMPTY_BUFFER);
  }

  private static byte[] postedRefusals() {
    return new FuzzScript()
        .posted(Command.DMA_MAP, new DmaMap.Request(9, 0, 1, 1), Kind.SEALED)
        .posted(Command.REGION_READ, new RegionRead.Request(-1, 0, -1))
        .posted(Command.REGION_READ, new RegionRead.Request(0, 0, 1 << 20))
        .posted(Command.REGION_READ, new RegionRead.Request(0, 2, 1 << 20))
        .toBytes();
  }

  private static byte[] ranges() {
    long top = -4096;
    return new FuzzScript()
        .message(Command.DMA_MAP, new DmaMap.Request(3, 0, top, 4096), Kind.SEALED)
        .message(Command.DMA_MAP, new DmaMap.Request(3, 0, top, 8192), Kind.SEALED)
        .message(Command.DMA_MAP, new DmaMap.Request(3, -4096, 0, 4096), Kind.SEALED)
        .message(
            Command.DMA_MAP, new DmaMap.Request(3, Long.MAX_VALUE - 4095, 0, 4096), Kind.SEALED)
        .message(Command.DMA_MAP, new DmaMap.Request(3, 0, 0, top))
        .message(Command.DMA_UNMAP, new DmaUnmap.Request(0, top))
        .message(Command.REGION_READ, new RegionRead.Request(Long.MAX_VALUE, 2, 8))
        .message(Command.REGION_READ, new RegionRead.Request(-8, 2, 16))
        .toBytes();
  }

  /** Works a channel, whose ring and target are of some kind, and other memory by messages. */
  private static byte[] transfer(Answer answer, Kind target) {
    long near = 1 << 20;
    long far = 1L << 40;
    return new FuzzScript()
        .answer(answer)
        .ring(
            Descriptor.copy(4096).fromLocal(0).to(near).interrupt(),
            Descriptor.copy(8192).from(near).to(far).interrupt(),
            Descriptor.copy(4096).from(far).toLocal(0).interrupt(),
            Descriptor.fill(-1, 16384).to(near).interrupt())
        .message(Command.DMA_MAP, new DmaMap.Request(3, 0, SessionFuzzer.RING, 65536), Kind.SEALED)
        .message(Command.DMA_MAP, new DmaMap.Request(3, 0, near, 65536), target)
        .message(Command.DMA_MAP, new DmaMap.Request(3, 0, far, Long.MIN_VALUE))
        .message(Command.DEVICE_SET_IRQS, events(2), Kind.EVENT, Kind.EVENT)
        .message(Command.REGION_WRITE, write(Wire.CONFIG, Header.COMMAND, 6, 2))
        .message(Command.REGION_WRITE, write(Wire.REGISTERS, 0x1008, SessionFuzzer.RING, 8))
        .message(Command.REGION_WRITE, write(Wire.REGISTERS, 0x1010, 8, 4))
        .message(Command.REGION_WRITE, write(Wire.REGISTERS, 0x1000, 1, 4))
        .message(Command.REGION_WRITE, write(Wire.REGISTERS, HbmRegisters.doorbell(0), 4, 4))
        .message(Command.REGION_READ, new RegionRead.Request(0x1000, 0, 0x28))
        .step(Action.AWAIT)
        .step(Action.SHRINK)
        .step(Action.AWAIT)
        .message(Command.DMA_UNMAP, new DmaUnmap.Request(near, 65536))
        .message(Command.REGION_READ, new RegionRead.Request(0x1000, 0, 0x28))
        .toBytes();
  }

  private static RegionWrite.Request write(int region, long offset, long value, int length) {
    return new RegionWrite.Request(
        offset, region, Unpooled.buffer().writeLongLE(value).slice(0, length));
  }
}
