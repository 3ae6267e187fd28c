package dev.peerbar.server.session;

import dev.peerbar.linux.FileDescriptor;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaUnmap;
import dev.peerbar.protocol.Frame;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.server.dma.DmaTable.RefusedException;
import dev.peerbar.server.dma.KeptMappings;
import io.netty.buffer.ByteBufAllocator;
import java.util.Map;
import java.util.Optional;

/** DMA_MAP and DMA_UNMAP. */
record DmaRequests(KeptMappings table) {
  /** Of Linux vfio (VFIO_DMA_UNMAP_FLAG_ALL), which QEMU's client uses. */
  private static final int UNMAP_ALL = 1 << 1;

  void register(Map<Command, RequestHandler> handlers) {
    handlers.put(Command.DMA_MAP, this::map);
    handlers.put(Command.DMA_UNMAP, this::unmap);
  }

  private Frame map(Frame request) throws InvalidMessageException {
    DmaMap.Request map = DmaMap.Request.decode(request.payload());
    if (Integer.compareUnsigned(map.argsz(), map.encodedSize()) < 0) {
      throw new InvalidMessageException("argsz " + Integer.toUnsignedString(map.argsz()));
    }
    if ((map.flags() & ~(DmaMap.READABLE | DmaMap.WRITEABLE)) != 0) {
      throw new InvalidMessageException("flags 0x%x".formatted(map.flags()));
    }
    Optional<FileDescriptor> file = request.descriptors().take(0);
    try {
      table.map(
          map.address(),
          map.size(),
          (map.flags() & DmaMap.READABLE) != 0,
          (map.flags() & DmaMap.WRITEABLE) != 0,
          map.offset(),
          file);
    } catch (RefusedException e) {
      throw new InvalidMessageException(
          e.errno(), "0x%x + 0x%x: %s".formatted(map.address(), map.size(), e.getMessage()));
    }
    return Frame.reply(request.header());
  }

  private Frame unmap(Frame request) throws InvalidMessageException {
    DmaUnmap.Request unmap = DmaUnmap.Request.decode(request.payload());
    if (Integer.compareUnsigned(unmap.argsz(), unmap.encodedSize()) < 0) {
      throw new InvalidMessageException("argsz " + Integer.toUnsignedString(unmap.argsz()));
    }
    if (unmap.flags() == UNMAP_ALL) {
      if (unmap.address() != 0 || unmap.size() != 0) {
        throw new InvalidMessageException("all mappings, and a range");
      }
      table.clear();
    } else if (unmap.flags() == 0) {
      try {
        table.unmap(unmap.address(), unmap.size());
      } catch (RefusedException e) {
        throw new InvalidMessageException(
            e.errno(), "0x%x + 0x%x: %s".formatted(unmap.address(), unmap.size(), e.getMessage()));
      }
    } else {
      throw new InvalidMessageException("flags 0x%x".formatted(unmap.flags()));
    }
    return Frame.reply(request.header(), unmap.reply(), ByteBufAllocator.DEFAULT);
  }
}
