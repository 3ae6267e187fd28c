package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.DrivenEndpoint;
import dev.peerbar.bench.fixture.MemoryResponder;
import dev.peerbar.bench.fixture.Placement;
import dev.peerbar.bench.fixture.ServedEndpoint;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.protocol.DmaMap;
import dev.peerbar.server.dma.BusMaster;
import dev.peerbar.server.dma.MessageLimits;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Copies between the memory of an HBM endpoint and a client's that came without a descriptor, by
 * DMA_READ and DMA_WRITE.
 */
final class MessageCopies implements Closeable {
  /** What a run copies, by one descriptor, in MiB. */
  static final int RUN_MIB = 4;

  /** The floor: one message of a page at a time. */
  static final MessageLimits ONE_PAGE = new MessageLimits(4 << 10, 4 << 10, 1);

  private static final int RUN_BYTES = RUN_MIB << 20;
  private static final long BASE = 1L << 32;
  private static final int ENTRIES = 64;

  private final DrivenEndpoint<HbmChannel> endpoint;
  private final MemoryResponder responder;

  private MessageCopies(DrivenEndpoint<HbmChannel> endpoint, MemoryResponder responder) {
    this.endpoint = endpoint;
    this.responder = responder;
  }

  static MessageCopies open(Placement placement) throws Exception {
    MemorySegment memory = Arena.ofAuto().allocate(RUN_BYTES).fill((byte) 1);
    DrivenEndpoint<HbmChannel> endpoint =
        DrivenEndpoint.hbm(
            placement.server(
                () -> ServedEndpoint.start("messages", new HbmEndpoint(HbmConfig.DEFAULT))),
            ENTRIES,
            true,
            client ->
                client.dmaMap(
                    DmaMap.READABLE | DmaMap.WRITEABLE, 0, BASE, RUN_BYTES, Optional.empty()));
    return new MessageCopies(
        endpoint,
        placement.client(() -> MemoryResponder.start(endpoint.connection(), BASE, memory)));
  }

  /** Copies all of it, with messages of some size and number. */
  Workload copies(Direction direction, MessageLimits limits) {
    return new Copies(endpoint, direction, limits);
  }

  private record Copies(
      DrivenEndpoint<HbmChannel> endpoint, Direction direction, MessageLimits limits)
      implements Workload {
    @Override
    public void prepare() throws IOException {
      BusMaster bus = endpoint.server().function().bus();
      bus.limitMessages(limits);
      endpoint.channel().putAhead(0, direction.copy(BASE, 0, RUN_BYTES).interrupt());
    }

    @Override
    public long run() throws Exception {
      endpoint.ring(1);
      endpoint.awaitInterrupt();
      return RUN_BYTES;
    }
  }

  @Override
  public void close() throws IOException {
    responder.close();
    endpoint.close();
  }
}
