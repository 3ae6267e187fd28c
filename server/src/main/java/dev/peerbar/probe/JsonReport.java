package dev.peerbar.probe;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.peerbar.probe.Snapshot.Irq;
import dev.peerbar.probe.Snapshot.Region;
import dev.peerbar.protocol.Capabilities;
import dev.peerbar.protocol.DeviceGetIrqInfo;
import dev.peerbar.protocol.DeviceGetRegionIoFds.IoEventFd;
import dev.peerbar.protocol.DeviceGetRegionIoFds.IoRegionFd;
import dev.peerbar.protocol.DeviceGetRegionIoFds.SubRegion;
import dev.peerbar.protocol.MigrationFeature;
import dev.peerbar.protocol.RegionCapability.SparseMmap.Area;
import java.math.BigInteger;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;

/**
 * Prints a snapshot as JSON. The names of fields are an interface: none is renamed, and what there
 * is nothing to say of is null, not left out. Sizes and counts are numbers; ids, addresses and
 * offsets are hex digits as lspci prints them. Fields of registers have lspci's names.
 */
final class JsonReport {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Snapshot snapshot;
  private final Identity identity;
  private final ObjectNode root = JSON.createObjectNode();

  private JsonReport(Snapshot snapshot, Identity identity) {
    this.snapshot = snapshot;
    this.identity = identity;
  }

  /**
   * The report, with a line end.
   *
   * @param socket the path that was probed
   * @param hexBytes how much of config space to add
   */
  static String of(Snapshot snapshot, Identity identity, String socket, OptionalInt hexBytes) {
    JsonReport report = new JsonReport(snapshot, identity);
    report.root.put("socket", socket);
    report.protocol(report.root.putObject("protocol"));
    report.identity(report.root.putObject("identity"));
    fields(report.root.putObject("command"), identity.header().command());
    fields(report.root.putObject("status"), identity.header().status());
    report.regions(report.root.putArray("regions"));
    report.irqs(report.root.putArray("irqs"));
    report.features();
    report.capabilities(report.root.putArray("capabilities"));
    if (hexBytes.isPresent()) {
      report.root.put("config_space", snapshot.config().hex(hexBytes.getAsInt()));
    } else {
      report.root.putNull("config_space");
    }
    return report.print();
  }

  private String print() {
    DefaultIndenter indenter = new DefaultIndenter("  ", "\n");
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter().withArrayIndenter(indenter).withObjectIndenter(indenter);
    try {
      return JSON.writer(printer).writeValueAsString(root) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private void protocol(ObjectNode node) {
    Capabilities agreed = snapshot.capabilities();
    node.put("major", snapshot.version().major());
    node.put("minor", snapshot.version().minor());
    node.put("max_msg_fds", agreed.maxMsgFds());
    node.put("max_data_xfer_size", agreed.maxDataXferSize());
    node.put("max_dma_maps", agreed.maxDmaMaps());
    node.put("pgsizes", agreed.pgsizes());
    node.put(
        "twin_socket", agreed.twinSocket().map(Capabilities.TwinSocket::supported).orElse(false));
    node.put("write_multiple", agreed.writeMultiple());
    agreed
        .migration()
        .ifPresentOrElse(
            tracking ->
                node.putObject("migration")
                    .put("pgsize", tracking.pgsize())
                    .put("max_bitmap_size", tracking.maxBitmapSize()),
            () -> node.putNull("migration"));
    node.put("resettable", snapshot.resettable());
    node.put("num_regions", snapshot.regionCount());
    node.put("num_irqs", snapshot.irqCount());
  }

  private void identity(ObjectNode node) {
    ConfigHeader header = identity.header();
    node.put("vendor_id", "%04x".formatted(header.vendor()));
    node.put("device_id", "%04x".formatted(header.device()));
    node.put("class", "%04x".formatted(header.classCode()));
    node.put("prog_if", "%02x".formatted(header.programmingInterface()));
    node.put("revision", "%02x".formatted(header.revision()));
    node.put("header_type", "%02x".formatted(header.layout()));
    if (header.hasSubsystem()) {
      node.put("subsystem_vendor_id", "%04x".formatted(header.subsystemVendor()));
      node.put("subsystem_id", "%04x".formatted(header.subsystem()));
    } else {
      node.putNull("subsystem_vendor_id");
      node.putNull("subsystem_id");
    }
    node.put("class_name", identity.className().orElse(null));
    node.put("prog_if_name", identity.interfaceName().orElse(null));
    node.put("vendor_name", identity.vendorName().orElse(null));
    node.put("device_name", identity.deviceName().orElse(null));
  }

  private void regions(ArrayNode array) {
    List<BaseAddress> bars = Bars.of(snapshot);
    for (Region region : snapshot.regions()) {
      ObjectNode node = array.addObject();
      node.put("index", region.index());
      node.put("name", Bars.name(region.index()));
      node.put("size", unsigned(region.size()));
      node.put("readable", region.readable());
      node.put("writable", region.writable());
      node.put("mapping", region.mapping().name().toLowerCase(Locale.ROOT));
      ArrayNode areas = node.putArray("areas");
      region.areas().orElse(List.of()).forEach(area -> area(areas.addObject(), area));
      bars.stream()
          .filter(bar -> bar.index() == region.index())
          .findFirst()
          .ifPresentOrElse(bar -> bar(node.putObject("bar"), bar), () -> node.putNull("bar"));
      ArrayNode ioFds = node.putArray("io_fds");
      region.ioFds().forEach(part -> ioFd(ioFds.addObject(), part));
    }
  }

  private static void area(ObjectNode node, Area area) {
    node.put("offset", "%08x".formatted(area.offset()));
    node.put("size", unsigned(area.size()));
  }

  private static void bar(ObjectNode node, BaseAddress bar) {
    node.put("type", bar.kind().isMemory() ? "memory" : "io");
    switch (bar.kind()) {
      case MEMORY_32 -> node.put("width", 32);
      case MEMORY_64 -> node.put("width", 64);
      default -> node.putNull("width");
    }
    node.put("prefetchable", bar.prefetchable());
    node.put("address", "%08x".formatted(bar.address()));
  }

  private static void ioFd(ObjectNode node, SubRegion part) {
    node.put(
        "type",
        switch (part) {
          case IoEventFd event -> "ioeventfd";
          case IoRegionFd region -> "ioregionfd";
        });
    node.put("offset", "%08x".formatted(part.offset()));
    node.put("size", unsigned(part.size()));
    if (part instanceof IoEventFd event && (event.flags() & IoEventFd.DATAMATCH) != 0) {
      node.put("datamatch", "%x".formatted(event.datamatch()));
    } else {
      node.putNull("datamatch");
    }
  }

  private static BigInteger unsigned(long number) {
    return new BigInteger(Long.toUnsignedString(number));
  }

  private void irqs(ArrayNode array) {
    for (Irq irq : snapshot.irqs()) {
      array
          .addObject()
          .put("index", irq.index())
          .put("name", IrqNames.of(irq.index()))
          .put("count", irq.count())
          .put("eventfd", irq.has(DeviceGetIrqInfo.EVENTFD))
          .put("maskable", irq.has(DeviceGetIrqInfo.MASKABLE))
          .put("automasked", irq.has(DeviceGetIrqInfo.AUTOMASKED))
          .put("noresize", irq.has(DeviceGetIrqInfo.NORESIZE));
    }
  }

  private void features() {
    if (snapshot.features().isEmpty()) {
      root.putNull("features");
      return;
    }
    Snapshot.Features features = snapshot.features().get();
    ObjectNode node = root.putObject("features");
    node.putObject("migration")
        .put("supported", features.migration())
        .put("stop_copy", (features.migrationFlags() & MigrationFeature.STOP_COPY) != 0)
        .put("p2p", (features.migrationFlags() & MigrationFeature.P2P) != 0)
        .put("pre_copy", (features.migrationFlags() & MigrationFeature.PRE_COPY) != 0);
    node.putObject("dma_logging").put("supported", features.dmaLogging());
  }

  private void capabilities(ArrayNode array) {
    for (Capability capability :
        CapabilityChain.decode(snapshot.config(), Bars.anyMemory(snapshot))) {
      ObjectNode node = array.addObject();
      boolean extended = capability.extended();
      node.put("offset", (extended ? "%03x" : "%02x").formatted(capability.offset()));
      node.put("extended", extended);
      node.put("id", (extended ? "%04x" : "%02x").formatted(capability.id()));
      capability
          .version()
          .ifPresentOrElse(version -> node.put("version", version), () -> node.putNull("version"));
      node.put("name", capability.name());
      fields(node.putObject("fields"), capability.title());
      ObjectNode registers = node.putObject("registers");
      capability
          .registers()
          .forEach(register -> fields(registers.putObject(register.name()), register));
    }
  }

  private static void fields(ObjectNode node, Register register) {
    register.fields().forEach((name, value) -> node.set(name, JSON.valueToTree(value)));
  }
}
