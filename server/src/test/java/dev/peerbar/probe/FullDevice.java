package dev.peerbar.probe;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.SharedMemory;
import dev.peerbar.linux.UnixSocket;
import dev.peerbar.pci.ConfigLayout.Header;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.DeviceGetRegionIoFds.IoEventFd;
import dev.peerbar.protocol.DeviceGetRegionIoFds.IoRegionFd;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.MigrationFeature;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionCapability.SparseMmap;
import dev.peerbar.protocol.RegionCapability.SparseMmap.Area;
import dev.peerbar.protocol.Version;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** A scripted server whose device has one of everything that probe can show. */
final class FullDevice implements AutoCloseable {
  private static final int REGIONS = 10;
  private static final int READ_WRITE = DeviceGetRegionInfo.READ | DeviceGetRegionInfo.WRITE;
  private static final int MAPPABLE = READ_WRITE | DeviceGetRegionInfo.MMAP;

  private final FileDescriptor memory;
  private final UnixSocket.Pair twin;
  private final ScriptedServer server;

  FullDevice(Path path) throws IOException {
    memory = SharedMemory.create("probe-test", 1 << 16);
    twin = UnixSocket.pair();
    server = ScriptedServer.start(path, config());
    server
        .on(Command.VERSION, new ScriptedServer.Answer(version(), twin.first()))
        .on(
            Command.DEVICE_GET_INFO,
            new ScriptedServer.Answer(
                new DeviceGetInfo.Reply(
                    DeviceGetInfo.PCI | DeviceGetInfo.RESET, REGIONS, PciIrq.COUNT)))
        .on(Command.DEVICE_GET_REGION_INFO, (header, payload) -> region(payload))
        .on(Command.DEVICE_GET_REGION_IO_FDS, (header, payload) -> ioFds(payload))
        .on(Command.DEVICE_GET_IRQ_INFO, (header, payload) -> irq(payload))
        .on(Command.DEVICE_FEATURE, (header, payload) -> feature(payload));
  }

  ScriptedServer server() {
    return server;
  }

  private static byte[] config() {
    ConfigImage image = new ConfigImage(ConfigImage.SIZE);
    image.word(Header.COMMAND, 0x0407).at(Header.REVISION_ID, 0x02);
    image.at(Header.CLASS_CODE, 0x01).at(Header.CACHE_LINE_SIZE, 16);
    image.word(Header.SUBSYSTEM_VENDOR_ID, 0x1234).word(Header.SUBSYSTEM_ID, 0x7032);
    image.dword(0x10, 0xfe000000).dword(0x18, 0x0000000c).dword(0x1c, 0x40).dword(0x20, 0xc001);
    image.dword(Header.EXPANSION_ROM, 0xfd000001);
    image.at(Header.INTERRUPT_PIN, 1).at(Header.INTERRUPT_LINE, 11);
    image.capabilities(0x40).capability(0x40, 0x05, 0x58).word(0x42, 0x0184);
    image.dword(0x44, 0xfee00000).word(0x4c, 0x4021);
    image.capability(0x58, 0x10, 0x98).word(0x5a, 0x0002).dword(0x5c, 0x10008001);
    image.capability(0x98, 0x03, 0xa0).capability(0xa0, 0x99, 0xa8);
    image.capability(0xa8, 0x09, 0).at(0xaa, 0x10);
    image.extended(0x100, 0x03, 1, 0x110).dword(0x104, 0x55667788).dword(0x108, 0x11223344);
    image.extended(0x110, 0x0d, 1, 0x118).extended(0x118, 0xabc, 3, 0);
    return image.array();
  }

  private static Version.Reply version() {
    return new Version.Reply(
        0,
        1,
        new Capabilities(
            8,
            1 << 20,
            128,
            4096,
            Optional.of(new Capabilities.TwinSocket(true, OptionalInt.of(0))),
            true,
            Optional.of(new Capabilities.Migration(4096, 256 << 20))));
  }

  private ScriptedServer.Reaction region(ByteBuf payload) throws InvalidMessageException {
    DeviceGetRegionInfo.Request request = DeviceGetRegionInfo.Request.decode(payload);
    List<Area> areas = List.of(new Area(0x1000, 0x1000), new Area(0x8000, 0x2000));
    return switch (request.index()) {
      case 0 -> {
        DeviceGetRegionInfo.Reply full =
            DeviceGetRegionInfo.Reply.full(MAPPABLE, 0, 0x10000, 0, List.of(new SparseMmap(areas)));
        yield request.argsz() < full.argsz()
            ? new ScriptedServer.Answer(full.cutShort())
            : new ScriptedServer.Answer(full, memory);
      }
      case 2 -> region(2, MAPPABLE, 1L << 36, memory);
      case 4 -> region(4, READ_WRITE, 32);
      case PciRegion.ROM -> region(PciRegion.ROM, DeviceGetRegionInfo.READ, 0x10000);
      case PciRegion.CONFIG -> region(PciRegion.CONFIG, READ_WRITE, ConfigImage.SIZE);
      case PciRegion.VGA -> region(PciRegion.VGA, READ_WRITE, 0xc0000);
      case 9 -> region(9, DeviceGetRegionInfo.WRITE, 12345);
      default -> region(request.index(), 0, 0);
    };
  }

  private static ScriptedServer.Answer region(
      int index, int flags, long size, FileDescriptor... files) {
    return new ScriptedServer.Answer(
        DeviceGetRegionInfo.Reply.full(flags, index, size, 0, List.of()), files);
  }

  private ScriptedServer.Reaction ioFds(ByteBuf payload) throws InvalidMessageException {
    int index = DeviceGetRegionIoFds.Request.decode(payload).index();
    List<DeviceGetRegionIoFds.SubRegion> parts =
        List.of(
            new IoEventFd(0x8000, 4, 0, 0, 0),
            new IoEventFd(0x8100, 4, 0, IoEventFd.DATAMATCH, 0x2a),
            new IoEventFd(0x8100, 4, 0, IoEventFd.DATAMATCH, 0x1),
            new IoEventFd(0x8100, 4, 0, IoEventFd.DATAMATCH, 0x29),
            new IoRegionFd(0x9000, 0x100, 0, 0, 7));
    return index == 0
        ? new ScriptedServer.Answer(DeviceGetRegionIoFds.Reply.full(0, parts), memory)
        : new ScriptedServer.Answer(DeviceGetRegionIoFds.Reply.full(index, List.of()));
  }

  private static ScriptedServer.Reaction irq(ByteBuf payload) throws InvalidMessageException {
    int index = DeviceGetIrqInfo.Request.decode(payload).index();
    int eventFd = DeviceGetIrqInfo.EVENTFD;
    return switch (index) {
      case PciIrq.INTX ->
          irq(eventFd | DeviceGetIrqInfo.MASKABLE | DeviceGetIrqInfo.AUTOMASKED, index, 1);
      case PciIrq.MSI -> irq(eventFd, index, 4);
      case PciIrq.MSIX -> irq(eventFd | DeviceGetIrqInfo.NORESIZE, index, 0);
      default -> irq(eventFd, index, 1);
    };
  }

  private static ScriptedServer.Answer irq(int flags, int index, int count) {
    return new ScriptedServer.Answer(new DeviceGetIrqInfo.Reply(flags, index, count));
  }

  private static ScriptedServer.Reaction feature(ByteBuf payload) throws InvalidMessageException {
    DeviceFeature.Request request = DeviceFeature.Request.decode(payload);
    boolean probe = (request.flags() & DeviceFeature.PROBE) != 0;
    long flags = MigrationFeature.STOP_COPY | MigrationFeature.P2P;
    ByteBuf data = probe ? Unpooled.EMPTY_BUFFER : Unpooled.buffer().writeLongLE(flags);
    return new ScriptedServer.Answer(new DeviceFeature.Reply(request.flags(), data));
  }

  @Override
  public void close() {
    server.close();
    twin.close();
    memory.close();
  }
}
