package dev.peerbar.bench.dma;

import dev.peerbar.bench.fixture.DrivenEndpoint;
import dev.peerbar.bench.fixture.RoundTrip;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.driver.hbm.HbmChannel;
import dev.peerbar.pci.DoorbellMode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** A way to ring channel 0's doorbell. */
public enum Doorbell {
  /** The message is not replied to. */
  POSTED("posted doorbell", DoorbellMode.TRAP),
  /** The reply is sent, and received once the interrupt has come. */
  REPLIED("doorbell with a reply", DoorbellMode.TRAP),
  /** A store. */
  MAPPED("mapped doorbell", DoorbellMode.MAP);

  private static final VarHandle TAIL =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  private final String label;
  private final DoorbellMode mode;

  Doorbell(String label, DoorbellMode mode) {
    this.label = label;
    this.mode = mode;
  }

  /** What the endpoint has to be configured with. */
  DoorbellMode mode() {
    return mode;
  }

  /** Of a ring by message. */
  static RoundTrip roundTrip() {
    return RoundTrip.write(HbmRegisters.BAR, HbmRegisters.doorbell(0), Integer.BYTES, 1);
  }

  /** Rings, and waits for the interrupt of the one descriptor that this makes valid. */
  Workload toInterrupt(DrivenEndpoint<HbmChannel> endpoint) {
    return switch (this) {
      case POSTED ->
          () -> {
            endpoint.ring(1);
            endpoint.awaitInterrupt();
            return 1;
          };
      case REPLIED -> new Replied(endpoint);
      case MAPPED -> {
        // The page that a client maps: its stores and those of this process are the same.
        MemorySegment page = endpoint.server().function().memory(HbmRegisters.BAR);
        yield () -> {
          TAIL.setRelease(page, HbmRegisters.doorbell(0), endpoint.channel().advance(1));
          endpoint.awaitInterrupt();
          return 1;
        };
      }
    };
  }

  /** Rings by a message that is replied to. */
  private static final class Replied implements Workload {
    private final DrivenEndpoint<HbmChannel> endpoint;
    private final int reply = roundTrip().reply();
    private boolean unread;

    Replied(DrivenEndpoint<HbmChannel> endpoint) {
      this.endpoint = endpoint;
    }

    @Override
    public void prepare() throws Exception {
      if (unread) {
        endpoint.connection().receive(reply);
      }
    }

    @Override
    public long run() throws Exception {
      endpoint.ring(1);
      unread = true;
      endpoint.awaitInterrupt();
      return 1;
    }
  }

  @Override
  public String toString() {
    return label;
  }
}
