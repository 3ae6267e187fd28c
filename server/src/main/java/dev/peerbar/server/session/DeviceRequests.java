package dev.peerbar.server.session;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.linux.LinuxException;
import dev.peerbar.pci.Bar;
import dev.peerbar.pci.ResetKind;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.Descriptors;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.PciIrq;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionCapability;
import dev.peerbar.server.function.EventWatcher;
import dev.peerbar.server.function.IrqIndex;
import dev.peerbar.server.function.Region;
import dev.peerbar.server.function.ServedFunction;
import dev.peerbar.server.function.ServedFunction.BoundIoEventFd;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What the device is, and its reset.
 *
 * @param client limits how many descriptors a reply has
 * @param watcher for the descriptors that the client's kernel may signal
 */
record DeviceRequests(ServedFunction function, ClientLimits client, EventWatcher watcher) {

  void register(Map<Command, RequestHandler> handlers) {
    handlers.put(Command.DEVICE_GET_INFO, this::info);
    handlers.put(Command.DEVICE_GET_REGION_INFO, this::regionInfo);
    handlers.put(Command.DEVICE_GET_REGION_IO_FDS, this::regionIoFds);
    handlers.put(Command.DEVICE_GET_IRQ_INFO, this::irqInfo);
    handlers.put(Command.DEVICE_RESET, this::reset);
  }

  private Frame info(Frame request) throws InvalidMessageException {
    DeviceGetInfo.Request info = DeviceGetInfo.Request.decode(request.payload());
    checkArgsz(info.argsz(), info.encodedSize());
    if (info.flags() != 0) {
      throw new InvalidMessageException("flags 0x%x".formatted(info.flags()));
    }
    return Frame.reply(
        request.header(),
        new DeviceGetInfo.Reply(
            DeviceGetInfo.RESET | DeviceGetInfo.PCI, PciRegion.COUNT, PciIrq.COUNT),
        ByteBufAllocator.DEFAULT);
  }

  private Frame regionInfo(Frame request) throws InvalidMessageException {
    DeviceGetRegionInfo.Request info = DeviceGetRegionInfo.Request.decode(request.payload());
    checkArgsz(info.argsz(), info.encodedSize());
    if (info.flags() != 0) {
      throw new InvalidMessageException("flags 0x%x".formatted(info.flags()));
    }
    Region region = region(info.index());
    int access = DeviceGetRegionInfo.READ | DeviceGetRegionInfo.WRITE;
    // Without the descriptor there is nothing to map.
    if (region.sharing().isEmpty() || client.maxDescriptors() == 0) {
      int flags = region.size() == 0 ? 0 : access;
      return Frame.reply(
          request.header(),
          DeviceGetRegionInfo.Reply.full(flags, info.index(), region.size(), 0, List.of()),
          ByteBufAllocator.DEFAULT);
    }
    Region.Sharing sharing = region.sharing().get();
    DeviceGetRegionInfo.Reply full =
        DeviceGetRegionInfo.Reply.full(
            access | DeviceGetRegionInfo.MMAP,
            info.index(),
            region.size(),
            0,
            List.of(mappableAreas(region, sharing)));
    if (Integer.compareUnsigned(info.argsz(), full.argsz()) < 0) {
      // The client asks again with more room; a descriptor with this reply would be for nothing.
      return Frame.reply(request.header(), full.cutShort(), ByteBufAllocator.DEFAULT);
    }
    return Frame.reply(
        request.header(),
        full,
        Descriptors.of(duplicate(sharing.descriptor())),
        ByteBufAllocator.DEFAULT);
  }

  /**
   * A region that can be mapped as a whole has its one area listed too, as with the reference
   * library. The answer is longer then than a client asks for at first, so that the descriptor
   * comes only with the second one: the library's sample client has no room for it in the first.
   */
  private static RegionCapability mappableAreas(Region region, Region.Sharing sharing) {
    List<Region.Area> areas =
        sharing.areas().isEmpty() ? List.of(new Region.Area(0, region.size())) : sharing.areas();
    return new RegionCapability.SparseMmap(
        areas.stream()
            .map(area -> new RegionCapability.SparseMmap.Area(area.offset(), area.length()))
            .toList());
  }

  private static FileDescriptor duplicate(FileDescriptor descriptor)
      throws InvalidMessageException {
    try {
      return descriptor.duplicate();
    } catch (LinuxException e) {
      throw new InvalidMessageException(e.errno(), e.getMessage());
    }
  }

  private Frame regionIoFds(Frame request) throws InvalidMessageException {
    DeviceGetRegionIoFds.Request wanted = DeviceGetRegionIoFds.Request.decode(request.payload());
    checkArgsz(wanted.argsz(), DeviceGetRegionIoFds.FIXED_LENGTH);
    if (wanted.flags() != 0 || wanted.count() != 0) {
      throw new InvalidMessageException("flags or count set");
    }
    int most = Math.min(client.maxDescriptors(), Negotiation.MAX_DESCRIPTORS);
    List<BoundIoEventFd> events;
    try {
      events = function.doorbellEvents(regionIndex(wanted.index()), most, watcher);
    } catch (LinuxException e) {
      throw new InvalidMessageException(e.errno(), e.getMessage());
    }
    DeviceGetRegionIoFds.Reply full =
        DeviceGetRegionIoFds.Reply.full(wanted.index(), subRegions(events));
    if (events.isEmpty() || Integer.compareUnsigned(wanted.argsz(), full.argsz()) < 0) {
      // The client may ask again with more room; descriptors with this reply would be for nothing.
      return Frame.reply(request.header(), full.cutShort(), ByteBufAllocator.DEFAULT);
    }
    return Frame.reply(request.header(), full, duplicates(events), ByteBufAllocator.DEFAULT);
  }

  /** One for each event, which is the descriptor with the same index. */
  private static List<DeviceGetRegionIoFds.SubRegion> subRegions(List<BoundIoEventFd> events) {
    List<DeviceGetRegionIoFds.SubRegion> subRegions = new ArrayList<>();
    for (BoundIoEventFd event : events) {
      Bar.IoEventFd doorbell = event.doorbell();
      subRegions.add(
          new DeviceGetRegionIoFds.IoEventFd(
              doorbell.offset(),
              doorbell.width().bytes(),
              subRegions.size(),
              DeviceGetRegionIoFds.IoEventFd.DATAMATCH,
              doorbell.value()));
    }
    return subRegions;
  }

  private static Descriptors duplicates(List<BoundIoEventFd> events)
      throws InvalidMessageException {
    List<FileDescriptor> all = new ArrayList<>();
    try {
      for (BoundIoEventFd event : events) {
        all.add(duplicate(event.event()));
      }
    } catch (InvalidMessageException e) {
      all.forEach(FileDescriptor::close);
      throw e;
    }
    return Descriptors.of(all, false);
  }

  private Frame irqInfo(Frame request) throws InvalidMessageException {
    DeviceGetIrqInfo.Request info = DeviceGetIrqInfo.Request.decode(request.payload());
    checkArgsz(info.argsz(), info.encodedSize());
    if (info.flags() != 0 || info.count() != 0) {
      throw new InvalidMessageException("flags or count set");
    }
    if (info.index() < 0 || info.index() >= PciIrq.COUNT) {
      throw new InvalidMessageException("interrupt index " + info.index());
    }
    IrqIndex index = IrqIndex.values()[info.index()];
    int flags = DeviceGetIrqInfo.EVENTFD;
    if (index == IrqIndex.INTX) {
      flags |= DeviceGetIrqInfo.MASKABLE | DeviceGetIrqInfo.AUTOMASKED;
    } else if (index == IrqIndex.MSI) {
      flags |= DeviceGetIrqInfo.NORESIZE;
    }
    return Frame.reply(
        request.header(),
        new DeviceGetIrqInfo.Reply(flags, info.index(), function.interrupts().count(index)),
        ByteBufAllocator.DEFAULT);
  }

  private Frame reset(Frame request) {
    function.reset(ResetKind.BUS_OR_DEVICE);
    return Frame.reply(request.header());
  }

  private Region region(int index) throws InvalidMessageException {
    return function.regions().get(regionIndex(index));
  }

  private static int regionIndex(int index) throws InvalidMessageException {
    if (index < 0 || index >= PciRegion.COUNT) {
      throw new InvalidMessageException("region " + Integer.toUnsignedString(index));
    }
    return index;
  }

  private static void checkArgsz(int argsz, int least) throws InvalidMessageException {
    if (Integer.compareUnsigned(argsz, least) < 0) {
      throw new InvalidMessageException("argsz %d, at least %d".formatted(argsz, least));
    }
  }
}
