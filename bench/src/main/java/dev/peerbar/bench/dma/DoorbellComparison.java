package dev.peerbar.bench.dma;

import dev.peerbar.bench.harness.Aim;
import dev.peerbar.bench.harness.Bench;
import dev.peerbar.bench.harness.Comparison;
import dev.peerbar.bench.harness.Distribution;
import dev.peerbar.bench.harness.Figure;
import dev.peerbar.bench.harness.Measured;
import dev.peerbar.bench.harness.Side;
import dev.peerbar.bench.harness.Workload;
import dev.peerbar.bench.rig.BareDriver;
import dev.peerbar.bench.rig.Floor;
import dev.peerbar.bench.rig.HbmRing;
import dev.peerbar.bench.rig.Placement;
import dev.peerbar.bench.rig.ServedEndpoint;
import dev.peerbar.devices.hbm.HbmConfig;
import dev.peerbar.devices.hbm.HbmEndpoint;
import dev.peerbar.devices.hbm.HbmRegisters;
import dev.peerbar.pci.DoorbellMode;
import dev.peerbar.protocol.Header;
import dev.peerbar.protocol.RegionWrite;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * From the write of a doorbell to the interrupt of a descriptor that does nothing else. The floor
 * is the round trip of a message as long.
 */
public final class DoorbellComparison implements Comparison {
  private static final Aim TWO_ROUND_TRIPS = Aim.atMost(2);
  private static final int ENTRIES = 64;
  private static final int REQUEST = Header.SIZE + RegionWrite.DATA + Integer.BYTES;

  private static final VarHandle DOORBELL =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

  /** How a doorbell is rung. */
  private enum Way {
    /** The message is not replied to. */
    POSTED("posted doorbell", DoorbellMode.TRAP),
    /** The reply is sent, and received once the interrupt has come. */
    REPLIED("doorbell with a reply", DoorbellMode.TRAP),
    /** A store. */
    MAPPED("mapped doorbell", DoorbellMode.MAP);

    private final String label;
    private final DoorbellMode mode;

    Way(String label, DoorbellMode mode) {
      this.label = label;
      this.mode = mode;
    }
  }

  @Override
  public String name() {
    return "doorbell";
  }

  @Override
  public String about() {
    return "from a doorbell to its MSI-X interrupt";
  }

  @Override
  public void run(Bench bench) throws Exception {
    for (Placement placement : Placement.values()) {
      if (placement.possible()) {
        for (Way way : Way.values()) {
          measure(bench, placement, way);
        }
      }
    }
  }

  private static void measure(Bench bench, Placement placement, Way way) throws Exception {
    HbmConfig config =
        new HbmConfig(HbmConfig.DEFAULT.barSize(), HbmConfig.DEFAULT.channels(), way.mode, false);
    try (ServedEndpoint endpoint =
            placement.server(() -> ServedEndpoint.start("doorbell", new HbmEndpoint(config)));
        BareDriver driver = endpoint.connectDriver();
        HbmRing ring = new HbmRing(driver, ENTRIES, way != Way.REPLIED);
        Floor floor = placement.server(() -> Floor.start(REQUEST, BareDriver.WRITE_REPLY))) {
      for (int i = 0; i < ENTRIES; i++) {
        ring.put(i, HbmRing.nop());
      }
      MemorySegment request = Arena.ofAuto().allocate(REQUEST);
      Workload bare =
          () -> {
            floor.messenger().exchange(request, BareDriver.WRITE_REPLY);
            return 1;
          };
      List<Measured> sides =
          placement.client(() ->
              bench.compare(
                  new Side("bare socket", bare),
                  new Side("peerbar", work(way, endpoint, driver, ring))));
      String path = way.label + " to MSI-X, " + placement;
      for (int percentile : List.of(50, 99)) {
        bench.add(
            Figure.percentile(
                path, sides.get(0), sides.get(1), percentile, Optional.of(TWO_ROUND_TRIPS)));
      }
      bench.add(Distribution.of(path, sides));
    }
  }

  private static Workload work(Way way, ServedEndpoint endpoint, BareDriver driver, HbmRing ring) {
    return switch (way) {
      case POSTED ->
          () -> {
            ring.ring(1);
            ring.awaitInterrupt();
            return 1;
          };
      case REPLIED -> new Replied(driver, ring);
      case MAPPED -> {
        // The page that a client maps: its stores and those of this process are the same.
        MemorySegment page = endpoint.server().function().memory(HbmRegisters.BAR);
        yield () -> {
          DOORBELL.setRelease(page, HbmRegisters.doorbell(0), ring.advance(1));
          ring.awaitInterrupt();
          return 1;
        };
      }
    };
  }

  /** Rings by a message that is replied to. */
  private static final class Replied implements Workload {
    private final BareDriver driver;
    private final HbmRing ring;
    private boolean unread;

    Replied(BareDriver driver, HbmRing ring) {
      this.driver = driver;
      this.ring = ring;
    }

    @Override
    public void prepare() throws Exception {
      if (unread) {
        driver.messenger().receive(BareDriver.WRITE_REPLY);
      }
    }

    @Override
    public long run() throws Exception {
      ring.ring(1);
      unread = true;
      ring.awaitInterrupt();
      return 1;
    }
  }
}
