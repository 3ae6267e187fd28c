package dev.peerbar.probe;

import dev.peerbar.probe.Snapshot.Features;
import dev.peerbar.probe.Snapshot.Irq;
import dev.peerbar.probe.Snapshot.Region;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceFeature;
import dev.peerbar.protocol.DeviceFeature.Feature;
import dev.peerbar.protocol.DeviceGetInfo;
import dev.peerbar.protocol.DeviceGetRegionInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds;
import dev.peerbar.protocol.InvalidMessageException;
import dev.peerbar.protocol.MigrationFeature;
import dev.peerbar.protocol.PciRegion;
import dev.peerbar.protocol.RegionCapability.SparseMmap;
import dev.peerbar.protocol.RegionCapability.SparseMmap.Area;
import dev.peerbar.protocol.Version;
import dev.peerbar.protocol.client.RemoteErrorException;
import dev.peerbar.protocol.client.VfioUserClient;
import dev.peerbar.protocol.client.VfioUserClient.WithDescriptors;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Asks a server all that can be asked without changing anything, within one limit of time. Closes
 * every descriptor that comes along.
 */
final class SnapshotReader {
  private static final int MOST_CONFIG = 4096;
  private static final int LEAST_READ = Integer.BYTES;

  /** Servers have 9 regions and 5 interrupt types; a few more may come, not four billion. */
  private static final int MOST_INDEXES = 64;

  private static final Capabilities OURS =
      new Capabilities(
          16,
          1 << 20,
          // Servers say no more than they are asked for.
          Integer.MAX_VALUE,
          4096,
          Optional.of(new Capabilities.TwinSocket(true, OptionalInt.empty())),
          true,
          Optional.empty());

  private final VfioUserClient client;
  private final long deadline;

  /**
   * @param client connected, nothing negotiated
   * @param deadline by {@link System#nanoTime}
   */
  SnapshotReader(VfioUserClient client, long deadline) {
    this.client = client;
    this.deadline = deadline;
  }

  private interface Question<T> {
    T ask() throws IOException;
  }

  private <T> T ask(String what, Question<T> question) throws ProbeException {
    try {
      client.setTimeout(remaining());
      return question.ask();
    } catch (IOException e) {
      throw new ProbeException(what, e);
    }
  }

  private Duration remaining() throws SocketTimeoutException {
    Duration left = Duration.ofNanos(deadline - System.nanoTime());
    if (!left.isPositive()) {
      throw new SocketTimeoutException("no time left");
    }
    return left;
  }

  /** Empty if the server refuses, which it may. */
  private <T> Optional<T> mayRefuse(String what, Question<T> question) throws ProbeException {
    try {
      return Optional.of(ask(what, question));
    } catch (ProbeException e) {
      if (e.getCause() instanceof RemoteErrorException) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /**
   * Asks.
   *
   * @throws ProbeException if the server does not answer what every server has to
   */
  Snapshot read() throws ProbeException {
    Version.Reply version = ask("VERSION", this::negotiate);
    DeviceGetInfo.Reply info = ask("DEVICE_GET_INFO", this::pciDevice);
    long regionCount = Integer.toUnsignedLong(info.numRegions());
    long irqCount = Integer.toUnsignedLong(info.numIrqs());
    List<Region> regions = regions(regionCount);
    ConfigBytes config = ask("config space", () -> config(regions, version.capabilities()));
    regions.removeIf(region -> region.index() == PciRegion.CONFIG);
    List<Irq> irqs = irqs(irqCount);
    Optional<Features> features = Optional.empty();
    List<String> warnings = new ArrayList<>();
    try {
      for (int i = 0; i < regions.size(); i++) {
        regions.set(i, withIoFds(regions.get(i)));
      }
      features = Optional.of(features());
    } catch (ProbeException e) {
      if (!(e.getCause() instanceof EOFException)) {
        throw e;
      }
      warnings.add(
          "the server closed the connection when it was asked for %s, so what is missing here was not asked"
              .formatted(e.question()));
    }
    return new Snapshot(
        version,
        (info.flags() & DeviceGetInfo.RESET) != 0,
        regionCount,
        irqCount,
        regions,
        config,
        irqs,
        features,
        warnings);
  }

  private Version.Reply negotiate() throws IOException {
    Version.Reply reply = client.negotiate(OURS);
    if (reply.major() != Version.MAJOR) {
      throw new ProtocolException("it speaks version %d".formatted(reply.major()));
    }
    return reply;
  }

  private DeviceGetInfo.Reply pciDevice() throws IOException {
    DeviceGetInfo.Reply info = client.deviceInfo();
    if ((info.flags() & DeviceGetInfo.PCI) == 0) {
      throw new ProtocolException("it is no PCI device (flags 0x%x)".formatted(info.flags()));
    }
    return info;
  }

  private List<Region> regions(long count) throws ProbeException {
    List<Region> regions = new ArrayList<>();
    for (int i = 0; i < Math.min(count, MOST_INDEXES); i++) {
      int index = i;
      mayRefuse("DEVICE_GET_REGION_INFO of region " + i, () -> region(index))
          .filter(region -> region.size() != 0)
          .ifPresent(regions::add);
    }
    return regions;
  }

  private Region region(int index) throws IOException {
    try (WithDescriptors<DeviceGetRegionInfo.Reply> reply = client.regionInfo(index)) {
      DeviceGetRegionInfo.Reply info = reply.value();
      if (info.index() != index) {
        throw new ProtocolException("it answered for region " + info.index());
      }
      Optional<List<Area>> areas =
          info.capabilities().stream()
              .filter(SparseMmap.class::isInstance)
              .map(capability -> ((SparseMmap) capability).areas())
              .findFirst()
              // Servers say so too that all can be mapped: libvfio-user's do, and ours.
              .filter(some -> !some.equals(List.of(new Area(0, info.size()))));
      boolean descriptor = !reply.descriptors().isEmpty();
      return new Region(index, info.flags(), info.size(), descriptor, areas, List.of());
    }
  }

  private ConfigBytes config(List<Region> regions, Capabilities negotiated) throws IOException {
    long size =
        regions.stream()
            .filter(region -> region.index() == PciRegion.CONFIG)
            .mapToLong(Region::size)
            .findFirst()
            .orElse(0);
    if (size >= 0 && size < ConfigHeader.LENGTH) {
      throw new ProtocolException("its size is %d bytes".formatted(size));
    }
    int length = size < 0 || size > MOST_CONFIG ? MOST_CONFIG : (int) size;
    int most = Math.clamp(negotiated.maxDataXferSize(), LEAST_READ, MOST_CONFIG);
    try {
      return new ConfigBytes(readConfig(length, most));
    } catch (RemoteErrorException e) {
      // Some servers take only what a processor can read at once.
      return new ConfigBytes(readConfig(length, LEAST_READ));
    }
  }

  private byte[] readConfig(int length, int most) throws IOException {
    byte[] bytes = new byte[length];
    for (int at = 0; at < length; at += most) {
      int count = Math.min(most, length - at);
      client.setTimeout(remaining());
      byte[] read = client.regionRead(PciRegion.CONFIG, at, count);
      if (read.length != count) {
        throw new ProtocolException(
            "a read of %d bytes was answered with %d".formatted(count, read.length));
      }
      System.arraycopy(read, 0, bytes, at, count);
    }
    return bytes;
  }

  private List<Irq> irqs(long count) throws ProbeException {
    List<Irq> irqs = new ArrayList<>();
    for (int i = 0; i < Math.min(count, MOST_INDEXES); i++) {
      int index = i;
      mayRefuse("DEVICE_GET_IRQ_INFO of type " + i, () -> client.irqInfo(index))
          .map(info -> new Irq(index, info.flags(), Integer.toUnsignedLong(info.count())))
          .ifPresent(irqs::add);
    }
    return irqs;
  }

  private Region withIoFds(Region region) throws ProbeException {
    if (region.index() > PciRegion.BAR5) {
      return region;
    }
    String what = "DEVICE_GET_REGION_IO_FDS of region " + region.index();
    return mayRefuse(what, () -> ioFds(region.index())).map(region::withIoFds).orElse(region);
  }

  private List<DeviceGetRegionIoFds.SubRegion> ioFds(int index) throws IOException {
    try (WithDescriptors<DeviceGetRegionIoFds.Reply> reply = client.regionIoFds(index)) {
      return reply.value().subRegions();
    }
  }

  private Features features() throws ProbeException {
    boolean migration = probe(Feature.MIGRATION, DeviceFeature.GET);
    long flags = migration ? migrationFlags() : 0;
    return new Features(migration, flags, probe(Feature.DMA_LOGGING_START, DeviceFeature.SET));
  }

  private boolean probe(Feature feature, int operation) throws ProbeException {
    int flags = feature.index() | operation | DeviceFeature.PROBE;
    return mayRefuse(
            "DEVICE_FEATURE probe of " + feature,
            () -> client.deviceFeature(flags, Unpooled.EMPTY_BUFFER))
        .isPresent();
  }

  private long migrationFlags() throws ProbeException {
    return mayRefuse(
            "DEVICE_FEATURE get of " + Feature.MIGRATION,
            () -> {
              int flags = Feature.MIGRATION.index() | DeviceFeature.GET;
              try {
                return MigrationFeature.decode(
                        client.deviceFeature(flags, Unpooled.EMPTY_BUFFER).data())
                    .flags();
              } catch (InvalidMessageException e) {
                throw new ProtocolException(e.getMessage());
              }
            })
        .orElse(0L);
  }
}
