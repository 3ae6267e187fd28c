package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.Floor;
import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.driver.socket.ClientMemory;
import dev.peerbar.protocol.Command;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.protocol.DmaUnmap;

/** What a client does to its mappings. */
public enum DmaOperation {
  MAP,
  UNMAP;

  private static final int READ_WRITE = DmaMap.READABLE | DmaMap.WRITEABLE;

  /** The message of a page, at the addresses and offsets that it begins with. */
  RoundTrip roundTrip() {
    DmaUnmap.Request unmap = new DmaUnmap.Request(MappedPages.BASE, ClientMemory.PAGE);
    return switch (this) {
      case MAP ->
          RoundTrip.of(
              Command.DMA_MAP,
              new DmaMap.Request(READ_WRITE, 0, MappedPages.BASE, ClientMemory.PAGE),
              0,
              1);
      case UNMAP -> RoundTrip.of(Command.DMA_UNMAP, unmap, unmap.encodedSize(), 1);
    };
  }

  /** The same messages to and fro; that of a DMA_MAP carries a descriptor too. */
  Workload floor(Floor floor, ClientMemory memory) {
    RoundTrip message = roundTrip();
    return switch (this) {
      case MAP ->
          () -> {
            floor.messenger().send(message.request(), memory.file());
            floor.messenger().receive(message.reply());
            return 1;
          };
      case UNMAP -> message.over(floor.messenger());
    };
  }

  /** The operation on one page after the other. */
  Workload on(MappedPages pages) {
    return this == MAP ? pages.mapping() : pages.unmapping();
  }

  @Override
  public String toString() {
    return "DMA_" + name();
  }
}
